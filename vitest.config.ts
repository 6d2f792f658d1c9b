import { defineConfig } from "vitest/config";

// Four projects: `unit` is pure and fast; `root` needs the kernel, root and throw-away network namespaces, one file at a time;
// `kubernetes` needs a control plane besides (test/kubernetes); `site` looks at the documentation in a browser.
// Whoever waits for something waits long: a machine that is busy with other things must not fail a test.
const shared = {
  environment: "node",
  // The template is a project of its own, tested where it is made.
  exclude: ["**/dist/**", "**/node_modules/**", "**/template/**"],
  expect: { poll: { timeout: 10_000 } },
  testTimeout: 60_000,
  hookTimeout: 60_000,
};
// Every agent that a test starts leaves an event log that replays; what a run started and verified is printed at its end.
const agentLogs = { globalSetup: "packages/conformance/src/agent/vitest-setup.ts" };
const source = { resolve: { conditions: ["source"] }, ssr: { resolve: { conditions: ["source"] } } };

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: {
          ...shared,
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...shared.exclude, "**/*.{root,kubernetes,site}.test.ts"],
        },
      },
      {
        ...source,
        test: {
          ...shared,
          ...agentLogs,
          name: "root",
          include: ["**/*.root.test.ts"],
          fileParallelism: false,
          pool: "forks",
        },
      },
      // The documentation's site, which has to be built before (scripts/build-site.sh), in a browser.
      { ...source, test: { ...shared, name: "site", include: ["site/**/*.site.test.ts"] } },
      {
        ...source,
        test: {
          ...shared,
          ...agentLogs,
          name: "kubernetes",
          include: ["**/*.kubernetes.test.ts"],
          // Each file has a cluster of its own, and waits for it most of the time: two share the machine well.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          pool: "forks",
          // An API server starts in five seconds, or in fifty where the machine has other things to do.
          hookTimeout: 240_000,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
