import type { Reporter } from "vitest/node";

/** The last line of `make test-kubernetes`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: Parameters<NonNullable<Reporter["onTestRunEnd"]>>[0]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (wanted: string) => states.filter((state) => state === wanted).length;
    // What did not run at all, because its cluster did not come to be, has not passed either.
    const failed = states.length - count("passed");
    console.log(`kubernetes: ${count("passed")} passed, ${failed} failed`);
  }
}
