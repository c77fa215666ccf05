/**
 * Counts tests and collects why each skipped one was skipped. `npm test` prints the result as its last lines; it
 * reads it from the file named by HOTLAP_TEST_SUMMARY. Without that variable the skipped tests are printed here.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

interface Summary {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
}

function summarise(modules: readonly TestModule[], unhandledErrors: number): Summary {
  // An error outside of any test, and a file that cannot even be loaded, count as a failed test each.
  const summary: Summary = { passed: 0, failed: unhandledErrors, skipped: [] };
  for (const module of modules) {
    if (module.errors().length > 0) summary.failed += 1;
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') summary.passed += 1;
      else if (result.state === 'failed') summary.failed += 1;
      else {
        const note = result.state === 'skipped' ? result.note : undefined;
        // A whole group that is skipped has no note; it says why in its name.
        const reason = note ?? /\(skipped: ([^)]*)\)/.exec(test.fullName)?.[1] ?? 'no reason given';
        summary.skipped.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason });
      }
    }
  }
  return summary;
}

export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const summary = summarise(modules, unhandledErrors.length);
    const file = process.env.HOTLAP_TEST_SUMMARY;
    if (file) writeFileSync(file, JSON.stringify(summary));
    else
      for (const { name, reason } of summary.skipped) process.stdout.write(`skipped: ${name}: ${reason}\n`);
  }
}
