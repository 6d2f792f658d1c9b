import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Finished, run } from "../programs/command.ts";
import type { Report } from "../report/report.ts";

const CLI = fileURLToPath(new URL("../cli.ts", import.meta.url));
const IDLE = new URL("../testing/idle-backend.ts", import.meta.url).href;
/** Each of these makes a lab, by several processes one after the other. */
const PATIENCE_MS = 300_000;
const QUICK = ["--family", "4", "--temperature", "cold"];

/** Somebody's own directory, with a backend in it that does nothing and claims two behaviours. */
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-kit-"));
  mkdirSync(join(directory, "dist"));
  const described = { name: "mine", type: "module", exports: { ".": { import: "./dist/main.js" } } };
  writeFileSync(join(directory, "package.json"), JSON.stringify(described));
  const plugin = `import idle from ${JSON.stringify(IDLE)};
export default { ...idle, name: "mine", claims: ["kubelet-probe", "outbound-tcp"] };
`;
  writeFileSync(join(directory, "dist/main.js"), plugin);
});

afterAll(() => rmSync(directory, { recursive: true }));

const conformance = (...args: string[]): Promise<Finished> =>
  run(process.execPath, ["--conditions=source", CLI, ...args], { cwd: directory, timeoutMs: PATIENCE_MS });

const reported = (file: string) => JSON.parse(readFileSync(join(directory, file), "utf8")) as Report;

describe("the command, in somebody's own directory", { timeout: PATIENCE_MS }, () => {
  it("runs what the backend there claims, and writes reports and a badge", async () => {
    const reports = ["--report", "r.json", "--report", "r.html", "--badge", "b.svg"];
    const ran = await conformance("run", "--backend", ".", "--only", "9,20", ...QUICK, ...reports);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(ran.stdout).toMatch(/^20 {2}fail-closed +unclaimed$/m);
    expect(ran.stdout).toMatch(/^conformance: 1 passed, 0 failed, 1 unclaimed$/m);
    const { results, unclaimed, headline } = reported("r.json");
    expect(headline).toBe("1/30 behaviours");
    expect(unclaimed).toEqual([{ id: "fail-closed", number: 20, title: expect.any(String) }]);
    expect(results[0]?.repeat).toMatch(/ run --backend \. --only kubelet-probe --family 4 --temperature cold$/);
    const page = readFileSync(join(directory, "r.html"), "utf8");
    expect(page).toContain("kubelet-probe");
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(readFileSync(join(directory, "b.svg"), "utf8")).toContain("1/30 behaviours, 1 unclaimed");
  });

  it("runs what is not claimed too, when it is told to", async () => {
    const ran = await conformance("run", "--backend", "./dist/main.js", "--only", "5", "--ignore-claims", ...QUICK);
    expect(ran.status).toBe(1);
    expect(ran.stdout).toMatch(/^FAIL +5 {2}inbound-hbone/m);
    expect(ran.stdout).toMatch(/alone: .* --only inbound-hbone --family 4 --temperature cold$/m);
  });

  it("leaves the lab of a failure up until it is taken down", async () => {
    const ran = await conformance("run", "--backend", ".", "--only", "1,9", "--keep", ...QUICK);
    const lab = /remove it with: .* down (\S+)$/m.exec(ran.stdout)?.[1] ?? "";
    try {
      expect(ran.status).toBe(1);
      // It ends with what failed.
      expect(ran.stdout).toMatch(/^conformance: 0 passed, 1 failed$/m);
      const status = / nsenter (--net=\S+-n1) -- (.* status --config \S+)$/m.exec(ran.stdout);
      const [, namespace = "", command = ""] = status ?? [];
      const asked = await run("nsenter", [namespace, "--", ...command.split(" ")]);
      expect(asked.stdout).toContain("mine");
    } finally {
      expect(await conformance("down", lab)).toMatchObject({ status: 0, stdout: `${lab}\n` });
    }
    expect(existsSync(`/run/netns/${lab}-n1`)).toBe(false);
    expect(await conformance("down", lab)).toMatchObject({ status: 2, stderr: expect.stringContaining(lab) });
  });

  it("says once what every trial would fail for", async () => {
    // In a user namespace without a map it is nobody, who may still read these files.
    const nobody = ["--user", process.execPath, "--conditions=source", CLI];
    const ran = await run("unshare", [...nobody, "run", "--backend", "ebpf", "--only", "9", ...QUICK]);
    expect(ran).toMatchObject({ status: 2, stdout: "", stderr: "making a lab needs root: run as root or with sudo\n" });
  });

  it.each([
    [["--backend", "./nowhere"], "nowhere"],
    [["--backend", "no-such-package"], "no-such-package"],
    [["--backend", ".", "--report", "r.pdf"], "r.pdf"],
    [["--backend", ".", "--report", "nowhere/r.json"], "there is no directory"],
    [["--backend", ".", "--badge", "nowhere/b.svg"], "there is no directory"],
    [["--backend", ".", "--config", "{nope"], "--config is a JSON object"],
    [["--backend", ".", "--except", "9"], "no behaviour to run"],
  ])("says what is wrong with %j", async (args, what) => {
    const ran = await conformance("run", ...args, "--only", "9", ...QUICK);
    expect(ran).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining(what) });
  });
});
