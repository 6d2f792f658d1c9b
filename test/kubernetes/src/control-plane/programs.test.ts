import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { controlPlanePrograms } from "./programs.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-programs-"));
afterAll(() => rmSync(directory, { recursive: true }));

function place(...parts: readonly string[]): string {
  const into = join(directory, ...parts);
  mkdirSync(into, { recursive: true });
  for (const name of ["etcd", "kube-apiserver"]) writeFileSync(join(into, name), "");
  return into;
}

test("KUBEBUILDER_ASSETS is used before what was built", () => {
  const [assets, built] = [place("assets"), place("cache", "control-plane")];
  const MILLRACE_CACHE = join(directory, "cache");
  expect(controlPlanePrograms({ KUBEBUILDER_ASSETS: assets, MILLRACE_CACHE })).toEqual({
    etcd: join(assets, "etcd"),
    apiServer: join(assets, "kube-apiserver"),
  });
  expect(controlPlanePrograms({ KUBEBUILDER_ASSETS: "", MILLRACE_CACHE }).etcd).toBe(join(built, "etcd"));
});

test("what is missing is told with what to do", () => {
  const missing = join(directory, "nowhere");
  const error = expect.objectContaining({ code: "ERR_CONTROL_PLANE_MISSING" });
  expect(() => controlPlanePrograms({ MILLRACE_CACHE: missing })).toThrow(error);
  expect(() => controlPlanePrograms({ MILLRACE_CACHE: missing })).toThrow(/make kubernetes/);
  expect(() => controlPlanePrograms({ KUBEBUILDER_ASSETS: missing })).toThrow(/KUBEBUILDER_ASSETS/);
});
