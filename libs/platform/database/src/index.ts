export { openDatabase, type Database, type DatabaseOptions, type Transaction } from './database.js';
export {
  blamesItsData,
  brokeTheConnection,
  DatabaseUnavailable,
  isSerializationConflict,
  OutcomeUnknown,
  sqlState,
} from './errors.js';
export { holdName, NameTaken, type HeldName, type NameOptions } from './held-name.js';
export { migrate } from './migrate.js';
export { databaseClock, readTogether, writeTogether, type Part, type Statement } from './statement.js';
