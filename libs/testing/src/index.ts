export { eventually } from './eventually.js';
export { testDatabase, type TestDatabase } from './test-database.js';
export { testBrokers, testTopic } from './test-topic.js';
