// The package `ocpp-rpc` in strict mode with trivial handlers; the same lines on stdin and stdout as servers.py.
// Usage: node rpc_server.mjs <folder with node_modules> <JSON of the SetChargingProfile>
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const [folder, profile] = process.argv.slice(2);
const { RPCServer } = createRequire(`${folder}/`)('ocpp-rpc');
const rpc = new RPCServer({ protocols: ['ocpp1.6', 'ocpp2.0.1'], strictMode: true });
const now = () => new Date().toISOString();
const clients = new Set();

rpc.on('client', (client) => {
  clients.add(client);
  client.on('disconnect', () => clients.delete(client));
  client.on('close', () => clients.delete(client));
  client.handle('BootNotification', () => ({ currentTime: now(), interval: 300, status: 'Accepted' }));
  client.handle('Heartbeat', () => ({ currentTime: now() }));
  client.handle('MeterValues', () => ({}));
  client.handle('TransactionEvent', () => ({}));
});
const http = createServer();
http.on('upgrade', rpc.handleUpgrade);
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(`ready ${http.address().port}`));

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  if (line !== 'push') { console.log(`unknown ${line}`); return; }
  const asked = JSON.parse(profile);
  const answers = await Promise.all([...clients].map((client) => client.call('SetChargingProfile', asked)));
  console.log(`pushed ${answers.filter(({ status }) => status === 'Accepted').length}`);
});
lines.on('close', () => process.exit(0));
