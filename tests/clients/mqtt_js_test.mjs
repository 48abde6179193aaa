// mqtt.js against the daemon: node mqtt_js_test.mjs URL, run where its node_modules are.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import process from 'node:process'

const mqtt = createRequire(process.cwd() + '/')('mqtt')
const url = process.argv[2]
const versions = [
  { protocolVersion: 3, protocolId: 'MQIsdp' },
  { protocolVersion: 4 },
  { protocolVersion: 5 },
]

class Client {
  static async connect(version, clientId, options = {}) {
    const client = new Client()
    client.waiting = []
    client.messages = []
    client.mqtt = await mqtt.connectAsync(url, { ...version, clientId, reconnectPeriod: 0, ...options })
    client.mqtt.on('message', (topic, payload, packet) => {
      const waiter = client.waiting.shift()
      if (waiter) waiter(packet)
      else client.messages.push(packet)
    })
    return client
  }

  message() {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift())
    return new Promise((resolve) => this.waiting.push(resolve))
  }
}

async function everyQos(sending, receiving) {
  const subscriber = await Client.connect(receiving, 'subscriber')
  const publisher = await Client.connect(sending, 'publisher')
  await subscriber.mqtt.subscribeAsync('all/#', { qos: 2 })
  for (const qos of [0, 1, 2]) {
    await publisher.mqtt.publishAsync(`all/${qos}`, Buffer.from([0, 255, qos]), { qos })
    const got = await subscriber.message()
    assert.equal(got.topic, `all/${qos}`)
    assert.equal(got.qos, qos)
    assert.equal(got.retain, false)
    assert.deepEqual([...got.payload], [0, 255, qos])
  }
  await subscriber.mqtt.endAsync()
  await publisher.mqtt.endAsync()
}

async function retained(version) {
  const publisher = await Client.connect(version, 'retainer')
  await publisher.mqtt.publishAsync('kept', 'value', { qos: 1, retain: true })
  const late = await Client.connect(version, 'late')
  await late.mqtt.subscribeAsync('kept', { qos: 1 })
  const got = await late.message()
  assert.equal(got.retain, true)
  assert.equal(got.payload.toString(), 'value')
  await publisher.mqtt.publishAsync('kept', '', { qos: 1, retain: true })
  assert.equal((await late.message()).payload.length, 0)
  await late.mqtt.endAsync()
  await publisher.mqtt.endAsync()
}

async function will(version) {
  const watcher = await Client.connect(version, 'watcher')
  await watcher.mqtt.subscribeAsync('will', { qos: 1 })
  const victim = await Client.connect(version, 'victim', { will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false } })
  victim.mqtt.stream.destroy()
  assert.equal((await watcher.message()).payload.toString(), 'gone')
  await watcher.mqtt.endAsync()
}

async function lasting(version) {
  const options = version.protocolVersion === 5 ? { clean: false, properties: { sessionExpiryInterval: 600 } } : { clean: false }
  const id = `lasting${version.protocolVersion}`
  const client = await Client.connect(version, id, options)
  await client.mqtt.subscribeAsync('missed', { qos: 2 })
  await client.mqtt.endAsync()
  const publisher = await Client.connect(version, 'publisher')
  await publisher.mqtt.publishAsync('missed', 'one', { qos: 1 })
  await publisher.mqtt.publishAsync('missed', 'two', { qos: 2 })
  await publisher.mqtt.endAsync()
  // The messages come with the connection: listen before it is made.
  const got = []
  const again = mqtt.connect(url, { ...version, clientId: id, reconnectPeriod: 0, ...options })
  await new Promise((resolve) => {
    again.on('message', (topic, payload) => {
      got.push(payload.toString())
      if (got.length === 2) resolve()
    })
  })
  assert.deepEqual(got, ['one', 'two'])
  await again.endAsync()
}

async function version5() {
  const version = { protocolVersion: 5 }
  const client = await Client.connect(version, 'properties', { properties: { topicAliasMaximum: 10, receiveMaximum: 5 } })
  await client.mqtt.subscribeAsync('properties', { qos: 1, properties: { subscriptionIdentifier: 7 } })
  const properties = {
    payloadFormatIndicator: true,
    contentType: 'text/plain',
    responseTopic: 'answer',
    correlationData: Buffer.from([1, 2, 3]),
    userProperties: { a: ['1', '2'] },
    messageExpiryInterval: 600,
  }
  // Often enough for the broker to use an alias.
  for (let i = 0; i < 20; ++i) {
    await client.mqtt.publishAsync('properties', String(i), { qos: 1, properties })
    const got = await client.message()
    assert.equal(got.payload.toString(), String(i))
    assert.equal(got.properties.contentType, 'text/plain')
    assert.equal(got.properties.responseTopic, 'answer')
    assert.deepEqual([...got.properties.correlationData], [1, 2, 3])
    assert.deepEqual({ ...got.properties.userProperties }, { a: ['1', '2'] })
    assert.equal(got.properties.subscriptionIdentifier, 7)
  }
  const one = await Client.connect(version, 'one')
  const two = await Client.connect(version, 'two')
  await one.mqtt.subscribeAsync('$share/group/jobs', { qos: 1 })
  await two.mqtt.subscribeAsync('$share/group/jobs', { qos: 1 })
  for (let i = 0; i < 10; ++i) await client.mqtt.publishAsync('jobs', String(i), { qos: 1 })
  const jobs = await Promise.all([0, 1, 2, 3, 4].flatMap(() => [one.message(), two.message()]))
  assert.equal(new Set(jobs.map((job) => job.payload.toString())).size, 10)
  for (const each of [client, one, two]) await each.mqtt.endAsync()
}

for (const sending of versions) {
  for (const receiving of versions) await everyQos(sending, receiving)
  await retained(sending)
  await will(sending)
  await lasting(sending)
}
await version5()
