import { expect, test } from "vitest";
import type { ObservedInput } from "../objects/observed.ts";
import { observedPod as pod } from "../testing/observed-pod.test.kit.ts";
import { mergeFiles } from "./merge-files.ts";
import type { ManifestObject } from "./parse-manifest.ts";

test("of an object in two files the first file's wins, whatever order they were read in", () => {
  const at = (input: ObservedInput, line: number): ManifestObject => ({ input, line });
  const files = new Map([
    ["b.yaml", [at(pod("x", "Failed"), 4)]],
    ["a.yaml", [at(pod("x"), 1), at(pod("x", "Failed"), 9)]],
  ]);
  const { objects, duplicates } = mergeFiles(files);
  expect([...objects.values()]).toEqual([pod("x")]);
  expect(duplicates).toEqual([
    { subject: "pod/x", kept: "a.yaml:1", ignored: "a.yaml:9" },
    { subject: "pod/x", kept: "a.yaml:1", ignored: "b.yaml:4" },
  ]);
});
