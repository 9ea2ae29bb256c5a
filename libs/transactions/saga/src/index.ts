export {
  commandName,
  saga,
  SagaDefinitions,
  step,
  UnknownDefinition,
  type CommandHead,
  type CommandKind,
  type SagaDefinition,
  type Step,
} from './definition.js';
export {
  Contradiction,
  decide,
  NotAllowed,
  retryDelay,
  start,
  type Decided,
  type SagaCommand,
  type SagaEvent,
  type SagaMessage,
} from './decide.js';
export {
  hasEnded,
  isSuspended,
  nextDue,
  skippedReasons,
  statusOf,
  type SagaState,
  type StepState,
} from './state.js';
export {
  assertSaved,
  insertSagas,
  loadSagas,
  lockSagas,
  saveSagas,
  StaleSaga,
  type SagaRow,
} from './store.js';
export { deadLettered, done, givenSaga, refused, SagaStory } from './saga-test.js';
