import { defineConfig } from "vitest/config";

// Two projects: `unit` is pure and fast; `root` needs the kernel, root and throw-away network namespaces, one file at a time.
// Whoever waits for something waits long: a machine that is busy with other things must not fail a test.
const shared = {
  environment: "node",
  exclude: ["**/dist/**", "**/node_modules/**"],
  expect: { poll: { timeout: 10_000 } },
  testTimeout: 60_000,
  hookTimeout: 60_000,
};
const source = { resolve: { conditions: ["source"] }, ssr: { resolve: { conditions: ["source"] } } };

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: { ...shared, name: "unit", include: ["**/*.test.ts"], exclude: [...shared.exclude, "**/*.root.test.ts"] },
      },
      {
        ...source,
        test: {
          ...shared,
          name: "root",
          include: ["**/*.root.test.ts"],
          fileParallelism: false,
          pool: "forks",
        },
      },
    ],
  },
});
