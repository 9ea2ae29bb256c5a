import { setMaxListeners } from 'node:events';
import { endLoads } from '@faultline/harness';
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import { brokerOutages, startWithoutBroker } from './outages/broker.js';
import { wrongClocks } from './outages/clock.js';
import { databaseOutages } from './outages/database.js';
import { pauses } from './outages/pauses.js';
import { endingProcesses } from './outages/processes.js';
import { setStage, type Stage } from './outages/stage.js';

// Each outage runs under load on the same system, one after the other: while it lasts clients get 202, an honest
// refusal, or an unknown outcome that the same key resolves; afterwards everything ends and the audit finds nothing.
setMaxListeners(50);
let stage: Stage;

beforeAll(async () => {
  stage = await setStage();
});
afterEach(endLoads);
afterAll(() => stage?.close());

describe('at the start', () => {
  startWithoutBroker(() => stage);
});

describe('with a broker', () => {
  beforeAll(() => stage.startBroker());

  describe('the broker', () => {
    brokerOutages(() => stage);
  });
  describe('the database', () => {
    databaseOutages(() => stage);
  });
  describe('a clock', () => {
    wrongClocks(() => stage);
  });
  describe('a pause', () => {
    pauses(() => stage);
  });
  describe('processes', () => {
    endingProcesses(() => stage);
  });
});
