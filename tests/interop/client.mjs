// An independent charger in strict mode: boots, starts a session, sends meter values, receives a setpoint, stops.
// Usage: node client.mjs <endpoint> <identity> <password> <protocol>; prints one JSON line per thing that happened.
import { RPCClient } from 'ocpp-rpc';

const [endpoint, identity, password, protocol] = process.argv.slice(2);
const say = (what, data = {}) => console.log(JSON.stringify({ what, ...data }));
const client = new RPCClient({
  endpoint, identity, password, protocols: [protocol], strictMode: true, reconnect: false,
});
client.on('strictValidationFailure', ({ error }) => say('invalid', { error: String(error) }));

let transaction = null;
let stop;
let done;
const served = new Promise((resolve) => { done = resolve; });

client.handle(({ method, params }) => {
  say('call', { method, params });
  if (method === 'SetChargingProfile') {
    const profile = params.csChargingProfiles ?? params.chargingProfile;
    if (profile.chargingProfilePurpose === 'TxProfile' && String(profile.transactionId) === String(transaction)) done();
    return { status: 'Accepted' };
  }
  if (method === 'SetVariables') {
    return {
      setVariableResult: params.setVariableData.map(({ component, variable }) => (
        { attributeStatus: 'Accepted', component, variable })),
    };
  }
  if (method === 'GetVariables') {
    return {
      getVariableResult: params.getVariableData.map(({ component, variable }) => (
        { attributeStatus: 'UnknownVariable', component, variable })),
    };
  }
  if (method === 'GetConfiguration') return {};
  if (method === 'GetTransactionStatus') return { messagesInQueue: false };
  if (method === 'GetChargingProfiles') return { status: 'NoProfiles' };
  return { status: 'Accepted' };
});

await client.connect();
const now = () => new Date().toISOString();
if (protocol === 'ocpp1.6') {
  say('boot', await client.call('BootNotification', { chargePointVendor: 'Independent', chargePointModel: 'js' }));
  await client.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' });
  const started = await client.call('StartTransaction', {
    connectorId: 1, idTag: 'interop', meterStart: 100, timestamp: now(),
  });
  transaction = started.transactionId;
  await client.call('MeterValues', {
    connectorId: 1,
    transactionId: transaction,
    meterValue: [{
      timestamp: now(),
      sampledValue: [
        { value: '600', measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
        { value: '0.0', measurand: 'Current.Import', phase: 'L1', unit: 'A' },
      ],
    }],
  });
  stop = () => client.call('StopTransaction', { transactionId: transaction, meterStop: 700, timestamp: now() });
} else {
  say('boot', await client.call('BootNotification', {
    reason: 'PowerUp', chargingStation: { vendorName: 'Independent', model: 'js' },
  }));
  transaction = 'interop-tx';
  const event = (eventType, seqNo, triggerReason, wh) => client.call('TransactionEvent', {
    eventType,
    timestamp: now(),
    triggerReason,
    seqNo,
    transactionInfo: { transactionId: transaction, chargingState: 'Charging' },
    evse: { id: 1, connectorId: 1 },
    ...(seqNo === 0 ? { idToken: { idToken: 'interop', type: 'Central' } } : {}),
    meterValue: [{ timestamp: now(), sampledValue: [{ value: wh, measurand: 'Energy.Active.Import.Register' }] }],
  });
  await event('Started', 0, 'Authorized', 100);
  await event('Updated', 1, 'MeterValuePeriodic', 600);
  stop = () => event('Ended', 2, 'EVDeparted', 700);
}
await Promise.race([served, new Promise((_, reject) => setTimeout(() => reject(new Error('no TxProfile')), 15000).unref())]);
await stop();
say('served', { transaction });
await client.close();
