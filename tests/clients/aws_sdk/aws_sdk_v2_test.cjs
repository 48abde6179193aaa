// The AWS IoT Device SDK for JavaScript, version 2: get, update, delta, delete of shadows with a client certificate.
const assert = require('node:assert');
const path = require('node:path');
const { createRequire } = require('node:module');

const [folder, certificates, port] = process.argv.slice(2);
const { mqtt, iot, iotshadow } = createRequire(path.join(folder, 'package.json'))('aws-iot-device-sdk-v2');

async function main() {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(
    path.join(certificates, 'client.pem'), path.join(certificates, 'client.key'));
  builder.with_certificate_authority_from_path(undefined, path.join(certificates, 'ca.pem'));
  builder.with_clean_session(true);
  builder.with_client_id('sdk-v2');
  builder.with_endpoint('127.0.0.1');
  builder.with_port(Number(port));
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  await connection.connect();
  const shadows = iotshadow.IotShadowClientv2.newFromMqtt311(connection, {
    maxRequestResponseSubscriptions: 8,
    maxStreamingSubscriptions: 4,
    operationTimeoutInSeconds: 20,
  });
  for (const shadowName of [undefined, 'cfg']) {
    const thing = shadowName ? { thingName: 'lamp-v2', shadowName } : { thingName: 'lamp-v2' };
    const of = (name) => shadows[shadowName ? name.replace('Shadow', 'NamedShadow') : name].bind(shadows);
    await assert.rejects(of('getShadow')(thing), (error) => error.modeledError.code === 404);

    const stream = shadowName ? shadows.createNamedShadowDeltaUpdatedStream(thing)
                              : shadows.createShadowDeltaUpdatedStream(thing);
    const established = new Promise((resolve) => stream.on('subscriptionStatus', (status) => status.type === 0 && resolve()));
    const delta = new Promise((resolve) => stream.on('incomingPublish', (event) => resolve(event.message)));
    stream.open();
    await established;
    const updated = await of('updateShadow')({ ...thing, state: { desired: { on: true } } });
    assert.strictEqual(updated.version, 1);
    assert.deepStrictEqual((await delta).state, { on: true });
    stream.close();
    await assert.rejects(of('updateShadow')({ ...thing, state: {}, version: 7 }),
                         (error) => error.modeledError.code === 409);
    const read = await of('getShadow')(thing);
    assert.deepStrictEqual(read.state, { desired: { on: true }, delta: { on: true } });
    await of('deleteShadow')(thing);
    await assert.rejects(of('getShadow')(thing), (error) => error.modeledError.code === 404);
  }
  shadows.close();
  await connection.disconnect();
  console.log('version 2: ok');
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
