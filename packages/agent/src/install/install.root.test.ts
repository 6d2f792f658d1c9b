import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { spawnMillrace } from "../testing/millrace.ts";
import { PrivateNode, RunningAgent } from "../testing/private-node.ts";

const LIST = '{\n  "cniVersion": "1.0.0",\n  "name": "net",\n  "plugins": [ { "type": "bridge" } ]\n}\n';

function cniDirectories(node: PrivateNode): { list: string; plugin: string } {
  for (const name of ["cni/net.d", "cni/bin", "image"]) mkdirSync(join(node.directory, name), { recursive: true });
  writeFileSync(join(node.directory, "image", "millrace"), "the plugin");
  return { list: join(node.directory, "cni/net.d/10-net.conflist"), plugin: join(node.directory, "cni/bin/millrace") };
}

test("install waits, installs, is seen by doctor, and uninstall leaves what was there", async () => {
  await using node = await PrivateNode.create();
  const { list, plugin } = cniDirectories(node);
  const waiting = await node.millrace(["install"]);
  expect(waiting).toMatchObject({ code: EXIT.unhealthy, stdout: expect.stringMatching(/^waiting: /) });
  writeFileSync(list, LIST);
  expect(await node.millrace(["install"])).toMatchObject({
    code: EXIT.ok,
    stdout: `installed: ${list} has our entry\n`,
  });
  expect(JSON.parse((await node.millrace(["install", "--json"])).stdout)).toMatchObject({
    state: "installed",
    writes: 0,
  });
  const { host } = JSON.parse((await node.millrace(["doctor", "--json"])).stdout) as { host: { name: string }[] };
  expect(host.find(({ name }) => name === "CNI")).toMatchObject({ state: "good" });
  const { code, stdout } = await node.millrace(["uninstall", "--purge"]);
  expect(stdout).toContain(`removed entry in ${list}\n`);
  expect(stdout).toContain(`removed CNI plugin ${plugin}\n`);
  expect(code).toBe(EXIT.ok);
  expect(readFileSync(list, "utf8")).toBe(LIST);
  expect(existsSync(plugin)).toBe(false);
  for (const name of ["run", "lib"]) expect(existsSync(join(node.directory, name)), name).toBe(false);
});

test("install --watch keeps it, keeps another installer and the uninstallation out, and leaves it when it ends", async () => {
  await using node = await PrivateNode.create();
  const { list } = cniDirectories(node);
  await using watching = new RunningAgent(
    spawnMillrace(["install", "--watch", "--config", node.config], { prefix: node.inside, timeoutMs: 60_000 }),
  );
  await watching.logged(/cannot be installed yet/);
  writeFileSync(list, LIST);
  await watching.logged(/is installed/);
  expect(await node.millrace(["install"])).toMatchObject({
    code: EXIT.conflict,
    stderr: expect.stringContaining("ERR_INSTALLER_RUNNING"),
  });
  expect(await node.millrace(["uninstall"])).toMatchObject({ code: EXIT.conflict });
  writeFileSync(list, LIST);
  await expect.poll(() => readFileSync(list, "utf8")).toContain('"millrace"');
  expect(await watching.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
  expect(readFileSync(list, "utf8")).toContain('"millrace"');
});
