import { afterAll, beforeAll, beforeEach, describe } from '@jest/globals';
import { command } from './traces/command.js';
import { faults } from './traces/faults.js';
import { outcomes } from './traces/outcomes.js';
import { openStage, type Stage } from './traces/stage.js';

let opened: Stage | undefined;
const stage = (): Stage => {
  if (!opened) throw new Error('the system is not started');
  return opened;
};

beforeAll(async () => {
  opened = await openStage();
});
afterAll(() => opened?.close());

describe('traces', () => {
  beforeEach(() => stage().system.whenReady());
  outcomes(stage);
  faults(stage);
  command(stage);
});
