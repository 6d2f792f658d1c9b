import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkTarball } from "./check-tarball.ts";
import { run } from "./run.ts";
import { type Staged, stage } from "./stage.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "millrace-release-test-"));
const checkout = join(directory, "origin");
let staged: Staged[];

const manifestOf = (tarball: string) => JSON.parse(run(directory, "tar", "-xzOf", tarball, "package/package.json"));

beforeAll(() => {
  run(root, "git", "clone", "--quiet", "--shared", root, checkout);
  writeFileSync(
    join(checkout, ".changeset/a-change.md"),
    `---\n"@millrace/core": minor\n---\n\nBackends can whistle.\n`,
  );
  run(checkout, "git", "add", ".changeset");
  run(checkout, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "A change");
  staged = stage(checkout, join(directory, "staged"));
}, 300_000);

afterAll(() => rmSync(directory, { recursive: true }));

test("a changeset becomes a version, a line of the changelog, and the range of who depends on it", () => {
  const core = staged.find(({ name }) => name === "@millrace/core");
  const host = staged.find(({ name }) => name === "@millrace/host");
  const { version } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8"));
  const [major, minor] = version.split(".").map(Number);
  const next = `${major}.${minor + 1}.0`;
  expect(core?.version).toBe(next);
  expect(manifestOf(host?.tarball ?? "").dependencies["@millrace/core"]).toBe(next);
  const changelog = run(directory, "tar", "-xzOf", core?.tarball ?? "", "package/CHANGELOG.md");
  expect(changelog).toContain("Backends can whistle.");
});

test("every public package may be published", async () => {
  const faults = await Promise.all(staged.map(async ({ name, tarball }) => [name, await checkTarball(tarball)]));
  expect(faults).toEqual(staged.map(({ name }) => [name, []]));
  expect(staged.length).toBeGreaterThanOrEqual(10);
});

test("a package without its types, or with a file too many, may not", async () => {
  const core = staged.find(({ name }) => name === "@millrace/core");
  const open = join(directory, "open");
  mkdirSync(open);
  run(open, "tar", "-xzf", core?.tarball ?? "");
  rmSync(join(open, "package/dist/index.d.ts"));
  writeFileSync(join(open, "package/secrets.txt"), "hush");
  const spoilt = join(directory, "spoilt.tgz");
  run(open, "tar", "-czf", spoilt, "package");
  const faults = (await checkTarball(spoilt)).join("\n");
  expect(faults).toContain("stray file secrets.txt");
  expect(faults).toMatch(/types/);
});
