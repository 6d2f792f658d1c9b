import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { takeOutside } from "./outside.ts";
import { endKeptLabs, isAmongOwnLabs, runAmongOwnLabs } from "./own-labs.ts";
import { Reader } from "./reader.ts";
import { Registry } from "./registry.ts";
import { blocksOf } from "./tutorial.ts";

// What a stranger does, in the order in which they do it: each step needs the ones before.
const root = fileURLToPath(new URL("../../..", import.meta.url));
const { values } = parseArgs({
  options: {
    /** The tutorial alone. */
    tutorial: { type: "boolean", default: false },
    /** Packed already: what `pnpm release --dry-run --out DIRECTORY` has left in DIRECTORY/tarballs. */
    tarballs: { type: "string" },
    page: { type: "string", default: join(root, "docs/writing-a-backend.md") },
  },
});
const directory = isAmongOwnLabs() ? mkdtempSync(join(tmpdir(), "millrace-plugins-")) : "";
let passed = 0;

function run(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`'${command} ${args.join(" ")}' in ${cwd} failed:\n${stdout.slice(-8000)}${stderr.slice(-8000)}`);
  }
}

async function step(what: string, work: () => void | Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  passed += 1;
  console.log(`ok    ${what}  ${Math.round(performance.now() - began)} ms`);
}

const expectText = (printed: string, wanted: RegExp) => {
  if (!wanted.test(printed)) throw new Error(`expected ${wanted} in:\n${printed.slice(-8000)}`);
};

async function main(): Promise<void> {
  const upstream = run(root, process.env, "npm", "config", "get", "registry").trim();
  await using registry = await Registry.start(directory, upstream);
  const userconfig = join(directory, "npmrc");
  writeFileSync(
    userconfig,
    `registry=${registry.url}\n//${new URL(registry.url).host}/:_authToken=nobody\nfund=false\naudit=false\n`,
  );
  // Of what the repository's own tests are given a stranger has nothing but a HAProxy.
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS|MILLRACE_(?!HAPROXY))/i.test(name),
  );
  const env = {
    ...Object.fromEntries(clean),
    NPM_CONFIG_USERCONFIG: userconfig,
    npm_config_cache: join(directory, "cache"),
  };

  const tarballs = values.tarballs ?? join(directory, "tarballs");
  if (values.tarballs === undefined)
    await step("every public package is packed and checked", () => {
      const ours = { ...env, MILLRACE_CACHE: process.env.MILLRACE_CACHE };
      const printed = run(root, ours, "pnpm", "-s", "release", "--dry-run", "--out", directory);
      expectText(printed, /release: \d+ packages ready, 0 not/);
    });
  await step("they are published to a registry", () => {
    for (const file of globSync("*.tgz", { cwd: tarballs }))
      run(tarballs, env, "npm", "publish", `./${file}`, "--access", "public", "--provenance=false");
  });
  await followTutorial(env);
  if (values.tutorial) return;
  await otherWays(env);
  await wholeExample(env);
}

/** Each block of docs/writing-a-backend.md, as it stands there. */
async function followTutorial(env: NodeJS.ProcessEnv): Promise<void> {
  const home = join(directory, "reader");
  mkdirSync(home);
  using reader = new Reader(home, env);
  for (const block of blocksOf(readFileSync(values.page, "utf8"))) {
    const what = block.kind === "type" ? block.commands.trimEnd().split("\n").at(-1) : `${block.kind} ${block.path}`;
    await step(`tutorial, line ${block.line}: ${what}`, () => reader.follow(block));
  }
}

/** What the tutorial leaves out: an installation by path into another project, and another package manager. */
async function otherWays(env: NodeJS.ProcessEnv): Promise<void> {
  const home = join(directory, "stranger");
  mkdirSync(home);
  const project = join(home, "backend-otters");
  await step("npm create millrace-backend writes a project", () =>
    expectText(
      run(home, env, "npm", "create", "--yes", "millrace-backend", "backend-otters"),
      /The backend otters is in/,
    ),
  );
  await step("npm installs what it needs", () => void run(project, env, "npm", "install"));
  await step("it is built", () => void run(project, env, "npm", "run", "build"));
  await step("an agent loads it by the name of its package", () => {
    const user = join(home, "user");
    mkdirSync(user);
    writeFileSync(join(user, "package.json"), '{ "name": "user", "private": true, "type": "module" }');
    run(user, env, "npm", "install", project, "@millrace/conformance");
    const printed = run(
      user,
      env,
      "npx",
      "millrace-conformance",
      "run",
      "--backend",
      "backend-otters",
      "--family",
      "4",
    );
    expectText(printed, /conformance: 2 passed, 0 failed/);
  });
  await step("pnpm installs the same, and the kit runs from there", () => {
    rmSync(join(project, "node_modules"), { recursive: true });
    run(project, { ...env, npm_config_store_dir: join(directory, "store") }, "pnpm", "install", "--ignore-workspace");
    const printed = run(project, env, "pnpm", "exec", "millrace-conformance", "run", "--backend", ".", "--family", "4");
    expectText(printed, /conformance: 2 passed, 0 failed/);
  });
}

/** The example of a whole backend, of which the workspace has shown what it can: the same without the workspace. */
async function wholeExample(env: NodeJS.ProcessEnv): Promise<void> {
  const project = join(directory, "example");
  await step("the nftables example is built outside of the workspace", () => {
    takeOutside("examples/backend-nftables", project);
    run(project, env, "npm", "install", "@millrace/conformance", "typescript@7", "@types/node@24");
    run(project, env, "npx", "tsc");
  });
  await step("it shows there what it is to show", () => {
    const some = ["--only", "1,4,20,27,x-same-source-port", "--family", "4", "--temperature", "warm"];
    const printed = run(project, env, "npx", "@millrace/conformance", "run", "--backend", ".", ...some);
    expectText(printed, /conformance: 5 passed, 0 failed/);
  });
}

async function report(): Promise<void> {
  try {
    await main();
    console.log(`plugins: ${passed} passed, 0 failed`);
  } catch (error) {
    console.error((error as Error).message);
    console.log(`plugins: ${passed} passed, 1 failed`);
    process.exitCode = 1;
  } finally {
    await endKeptLabs();
    rmSync(directory, { recursive: true, force: true });
  }
}

if (isAmongOwnLabs()) await report();
else process.exitCode = runAmongOwnLabs();
