import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const directory = fileURLToPath(new URL("..", import.meta.url));
const run = (cwd: string, command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("what npm packs installs without scripts and works in an empty project", () => {
  const project = mkdtempSync(join(tmpdir(), "libbpf-ts-"));
  try {
    run(directory, "tsc", "-b", ".");
    run(directory, "make", "-s", "addon");
    const [{ filename, files }] = JSON.parse(run(directory, "npm", "pack", "--json", "--pack-destination", project));
    const paths = (files as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "build/bpf.node", "README.md"]));
    expect(paths.filter((path) => /test|\bsrc\/|sanitized|\.o$/.test(path))).toEqual([]);
    writeFileSync(join(project, "package.json"), `{ "name": "empty", "private": true, "type": "module" }`);
    run(project, "npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", `./${filename}`);
    writeFileSync(
      join(project, "use.js"),
      `import { BpfObject, libbpfVersion } from "libbpf-ts";
       using object = BpfObject.open(${JSON.stringify(join(directory, "build/examples/refuse-connections.bpf.o"))});
       object.load();
       const refused = object.typedMap("refused");
       refused.set(25, 1n);
       console.log(libbpfVersion().length > 2, [...refused]);`,
    );
    expect(run(project, process.execPath, "use.js").trim()).toBe("true [ [ 25, 1n ] ]");
  } finally {
    rmSync(project, { recursive: true });
  }
});
