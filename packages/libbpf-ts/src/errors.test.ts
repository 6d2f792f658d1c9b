import { expect, test } from "vitest";
import { LibbpfError, ownError } from "./errors.ts";

test("a failed call names call, code, meaning and the kernel's reason, and keeps the whole log", () => {
  const log = "libbpf: Kernel error message: Filter already exists\n";
  const error = new LibbpfError("bpf_tc_attach", "EEXIST", -17, "File exists", log);
  expect(error.message).toBe("bpf_tc_attach: EEXIST: File exists: Filter already exists");
  expect(error).toMatchObject({ name: "LibbpfError", code: "EEXIST", errno: -17, syscall: "bpf_tc_attach", log });
  expect(error).toBeInstanceOf(Error);
});

test("an error of one's own has errno 0, no call, and its cause", () => {
  const cause = new Error("below");
  const error = ownError("ERR_NOT_FOUND", "the object has no map x", { cause });
  expect(error).toMatchObject({
    message: "the object has no map x",
    code: "ERR_NOT_FOUND",
    errno: 0,
    syscall: "",
    cause,
  });
});
