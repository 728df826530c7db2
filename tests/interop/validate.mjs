// Judges a file of recorded frames with typed-ocpp, a validator that shares no code or schema file with the service.
// Usage: node validate.mjs <file>. One JSON object per line: {version, station, direction, frame}, frame as text,
// direction "in" (from the station) or "out". Prints {n, ...} per finding, and {"judged", "answers"} last.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

// Version -> folder and name in typed-ocpp; only what is needed is loaded, because it compiles every schema at once.
const NAMES = { '1.6': ['ocpp16', 'OCPP16'], '2.0.1': ['ocpp20', 'OCPP20'], '2.1': ['ocpp21', 'OCPP21'] };
const loaded = {};
const CALL = 2, CALLRESULT = 3, CALLERROR = 4, CALLRESULTERROR = 5, SEND = 6;
const NEW_IN_2_1 = [CALLRESULTERROR, SEND];
// Spelt so in the standards, otherwise in typed-ocpp.
const SPELT = {
  '1.6': { OccurenceConstraintViolation: 'OccurrenceConstraintViolation' },
  '2.0.1': { FormatViolation: 'FormationViolation' },
  '2.1': { FormatViolation: 'FormationViolation' },
};

const calls = new Map();
let answers = 0;

// typed-ocpp removes fields that a schema does not know instead of refusing them, so the frame is compared after it.
function judge(check, value, ...rest) {
  const seen = structuredClone(value);
  const errors = check(seen, ...rest) ? [] : [...check.errors];
  if (errors.length === 0 && !isDeepStrictEqual(seen, value)) {
    errors.push(`fields that the schema does not know: ${JSON.stringify(value)} became ${JSON.stringify(seen)}`);
  }
  return errors;
}

function findings({ version, station, direction, frame: text }) {
  const ocpp = loaded[version];
  if (!ocpp) return ['', [`version ${version} is unknown`]];
  let frame;
  try {
    frame = JSON.parse(text);
  } catch (error) {
    return ['', [String(error)]];
  }
  if (!Array.isArray(frame)) return ['', ['not an array']];
  const [kind, id] = frame;
  if (NEW_IN_2_1.includes(kind) && version !== '2.1') return ['', [`message type ${kind} is not part of ${version}`]];
  const key = (from) => `${station} ${from} ${id}`;
  const other = direction === 'in' ? 'out' : 'in';
  if (kind === CALL || kind === SEND) {
    if (kind === CALL) calls.set(key(direction), frame);
    const errors = judge(ocpp.validateCall, frame);
    const isStream = frame[2] === 'NotifyPeriodicEventStream';
    if (isStream !== (kind === SEND)) errors.push(`message type ${kind} is wrong for ${frame[2]}`);
    return [frame[2], errors];
  }
  answers += 1;
  const asked = kind === CALLRESULTERROR ? { 2: '' } : calls.get(key(other));
  if (!asked) return ['', [`an answer to ${id}, which nobody asked`]];
  if (kind === CALLRESULT) {
    const errors = judge(ocpp.validateCallResult, frame);
    return [asked[2], errors.length ? errors : judge(ocpp.checkCallResult, frame, asked)];
  }
  if (kind === CALLERROR || kind === CALLRESULTERROR) {
    const spelt = [kind, id, SPELT[version][frame[2]] ?? frame[2], ...frame.slice(3)];
    return [asked[2], judge(ocpp.validateCallError, spelt)];
  }
  return ['', [`message type ${kind} is unknown`]];
}

const lines = readFileSync(process.argv[2], 'utf8').split('\n').filter((line) => line);
const records = lines.map((line) => JSON.parse(line));
for (const version of new Set(records.map((record) => record.version))) {
  const [folder, name] = NAMES[version] ?? [];
  if (name) loaded[version] = (await import(`typed-ocpp/dist/${folder}/index.js`))[name];
}
records.forEach((record, index) => {
  const [action, errors] = findings(record);
  for (const error of errors) console.log(JSON.stringify({ n: index + 1, action, error, ...record }));
});
console.log(JSON.stringify({ judged: records.length, answers }));
