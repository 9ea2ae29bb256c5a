export { onlyOnce, type Keyed, type Once } from './idempotency.js';
export {
  type Answer,
  answer,
  type Answered,
  deadLetterAnswers,
  lateAnswer,
  type Unanswered,
  type Verdict,
} from './participant.js';
export { runService } from './run-service.js';
export { BadSettings, isLoopback, readSettings, serviceSettings, type ServiceSettings } from './settings.js';
export { type Parts, type Running, type Service, startService, topicSpecs, type Worker } from './service.js';
export { nothingAround, type Wrapping } from './wrapping.js';
export { BrokerSide, type Consumption, type TopicSpec } from './broker.js';
