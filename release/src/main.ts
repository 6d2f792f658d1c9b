import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkTarball } from "./check-tarball.ts";
import { run } from "./run.ts";
import { pendingChangesets, stage } from "./stage.ts";

const USAGE = `usage: pnpm release [--dry-run] [--out DIRECTORY] [--registry URL] [--no-provenance]

Packs and checks every public package of what is committed, and publishes them unless --dry-run is given.
  --dry-run         makes versions of pending changesets in a clone, and publishes nothing
  --out DIRECTORY   keeps the tarballs there, in DIRECTORY/tarballs
  --registry URL    publishes there and not where npm is set to
  --no-provenance   publishes without a statement of origin, which only CI can make`;

const root = fileURLToPath(new URL("../..", import.meta.url));

const { values } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    out: { type: "string" },
    registry: { type: "string" },
    provenance: { type: "boolean", default: true },
    help: { type: "boolean", short: "h", default: false },
  },
  allowNegative: true,
});
if (values.help) console.log(USAGE);
else
  process.exitCode = await release().catch((error: Error) => {
    console.error(error.message);
    return 1;
  });

async function release(): Promise<number> {
  const pending = pendingChangesets(root);
  if (!values["dry-run"] && pending.length > 0) {
    console.error(
      `release: ${pending.length} changesets are no versions yet: run 'pnpm changeset version' and commit what it writes`,
    );
    return 1;
  }
  const uncommitted = run(root, "git", "status", "--porcelain").trim();
  if (uncommitted !== "") console.error(`release: not committed, so not in it:\n${uncommitted}`);
  const directory = values.out === undefined ? mkdtempSync(join(tmpdir(), "millrace-release-")) : resolve(values.out);
  try {
    const staged = stage(root, directory);
    let bad = 0;
    for (const { name, version, tarball } of staged) {
      const faults = await checkTarball(tarball);
      bad += Math.min(faults.length, 1);
      console.log(`${faults.length === 0 ? "ok  " : "BAD "} ${name} ${version}  ${basename(tarball)}`);
      for (const fault of faults) console.log(`       ${fault}`);
    }
    console.log(`release: ${staged.length - bad} packages ready, ${bad} not`);
    if (bad > 0) return 1;
    if (!values["dry-run"]) {
      const to = values.registry === undefined ? [] : ["--registry", values.registry];
      for (const { tarball } of staged) {
        run(root, "npm", "publish", tarball, "--access", "public", `--provenance=${values.provenance}`, ...to);
        console.log(`published ${basename(tarball)}`);
      }
    }
    return 0;
  } finally {
    if (values.out === undefined) rmSync(directory, { recursive: true });
    else rmSync(join(directory, "checkout"), { recursive: true, force: true });
  }
}
