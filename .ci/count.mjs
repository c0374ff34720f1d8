// Prints `N passed, N failed`, with `, N skipped` where there are any, from vitest's JSON report; exit code 1 unless all is well.
import { readFileSync } from 'node:fs';

let report;
try {
  report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
} catch {
  report = { success: false, testResults: [], numPassedTests: 0, numFailedTests: 0, numTotalTests: 0 };
}
// A file that could not be run at all has no tests in it, and fails all the same; so does a run that ended in another error.
const unrunFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
).length;
const passed = report.numPassedTests;
let failed = report.numFailedTests + unrunFiles;
if ((!report.success || passed === 0) && failed === 0) failed = 1;
const skipped = Math.max(0, report.numTotalTests - passed - report.numFailedTests);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
