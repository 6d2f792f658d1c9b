import { defineConfig } from "vitest/config";

// Two projects: `unit` is pure and fast; `root` needs the kernel, root and throw-away network namespaces, one file at a time.
const shared = { environment: "node", exclude: ["**/dist/**", "**/node_modules/**"] } as const;
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
          testTimeout: 60_000,
          hookTimeout: 60_000,
          pool: "forks",
        },
      },
    ],
  },
});
