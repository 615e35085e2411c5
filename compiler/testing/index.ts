export { checkCase, type CaseResult, type CaseWorld, type Check, type Failure } from './check.ts';
export { readCase, withExpectation, type Case, type CaseSettings } from './case.ts';
export type { Tolerance } from './compare.ts';
export { numericDifference, type Comparison } from './numbers.ts';
export { checkPass, testPass, type PassTests } from './tester.ts';
