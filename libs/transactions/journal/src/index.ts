export { journalOf, journalPart, type JournalEntryRow, type JournalRow } from './journal.js';
