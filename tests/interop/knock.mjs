// Comes once and boots. Usage: node knock.mjs <json>; prints {"booted", "protocol"} or {"refused"}.
import { readFileSync } from 'node:fs';
import { RPCClient } from 'ocpp-rpc';

const given = JSON.parse(process.argv[2]);
const tls = given.endpoint.startsWith('wss')
  ? { ca: readFileSync(given.ca), ...(given.cert ? { cert: readFileSync(given.cert), key: readFileSync(given.key) } : {}) }
  : {};
const client = new RPCClient({
  endpoint: given.endpoint,
  identity: given.identity,
  ...(given.password === null ? {} : { password: given.password }),
  protocols: [given.protocol],
  strictMode: true,
  reconnect: false,
  wsOpts: tls,
});
client.handle(() => ({ status: 'Accepted' }));
try {
  await client.connect();
  const boot = given.protocol === 'ocpp1.6'
    ? { chargePointVendor: 'Independent', chargePointModel: 'js' }
    : { reason: 'PowerUp', chargingStation: { vendorName: 'Independent', model: 'js' } };
  const { status } = await client.call('BootNotification', boot);
  console.log(JSON.stringify({ booted: status, protocol: client.protocol }));
  await client.close({ force: true });
} catch (error) {
  console.log(JSON.stringify({ refused: String(error) }));
}
process.exit(0);
