// The AWS IoT Device SDK for JavaScript, version 1: get, update, delta, delete of a shadow with a client certificate.
const assert = require('node:assert');
const path = require('node:path');
const { createRequire } = require('node:module');

const [folder, certificates, port] = process.argv.slice(2);
const sdk = createRequire(path.join(folder, 'package.json'))('aws-iot-device-sdk');

const options = (clientId) => ({
  host: '127.0.0.1',
  port: Number(port),
  protocol: 'mqtts',
  clientId,
  keyPath: path.join(certificates, 'client.key'),
  certPath: path.join(certificates, 'client.pem'),
  caPath: path.join(certificates, 'ca.pem'),
});

const THING = 'lamp-v1';
const shadows = sdk.thingShadow(options('sdk-v1'));
const waiting = new Map();
const deltas = [];
let onDelta = () => {};
shadows.on('status', (thing, status, token, state) => waiting.get(token)?.({ status, state }));
shadows.on('delta', (thing, state) => {
  deltas.push(state.state);
  onDelta();
});
shadows.on('timeout', (thing, token) => assert.fail(`no answer to ${token}`));
shadows.on('error', (error) => assert.fail(error));

// The SDK answers false while an earlier request of the thing is open.
const ask = (start) =>
  new Promise((resolve) => {
    const attempt = () => {
      const token = start();
      if (token === null) return setImmediate(attempt);
      waiting.set(token, resolve);
    };
    attempt();
  });

shadows.on('connect', () => {
  shadows.register(THING, {}, async (error) => {
    assert.ifError(error);
    const missing = await ask(() => shadows.get(THING));
    assert.strictEqual(missing.status, 'rejected');
    assert.strictEqual(missing.state.code, 404);
    const told = new Promise((resolve) => (onDelta = resolve));
    const updated = await ask(() => shadows.update(THING, { state: { desired: { on: true } } }));
    assert.strictEqual(updated.status, 'accepted');
    await told;
    assert.deepStrictEqual(deltas, [{ on: true }]);
    assert.strictEqual((await ask(() => shadows.update(THING, { state: { reported: { on: true } } }))).status, 'accepted');
    const read = await ask(() => shadows.get(THING));
    assert.deepStrictEqual(read.state.state, { desired: { on: true }, reported: { on: true } });
    assert.strictEqual((await ask(() => shadows.delete(THING))).status, 'accepted');
    console.log('version 1: ok');
    shadows.end(false, () => process.exit(0));
  });
});
