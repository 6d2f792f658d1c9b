import { describe, expect, it } from "vitest";
import { calling, errnoName, LinuxError } from "./errors.ts";

describe("errnoName", () => {
  it.each([
    [-17, "EEXIST"],
    [3, "ESRCH"],
    [-11, "EAGAIN"],
    [-95, "EOPNOTSUPP"],
    [-105, "ENOBUFS"],
    [-524, "ENOTSUPP"],
    [-4000, "ERRNO_4000"],
  ])("of %i is %s", (errno, name) => {
    expect(errnoName(errno)).toBe(name);
  });
});

describe("calling", () => {
  it("turns a failed system call into a LinuxError with its cause", () => {
    const cause = Object.assign(new Error("setns: No such thing"), { errno: -22, syscall: "setns" });
    const call = () => {
      throw cause;
    };
    const expected = {
      code: "EINVAL",
      errno: -22,
      syscall: "setns",
      cause,
      message: "going there: setns failed with EINVAL",
    };
    expect(() => calling("going there", call)).toThrow(expect.objectContaining(expected));
    expect(() => calling(() => "going there", call)).toThrow(LinuxError);
  });

  it("leaves other errors as they are", () => {
    const error = new TypeError("misuse");
    const call = () => {
      throw error;
    };
    expect(() => calling("going there", call)).toThrow(error);
  });
});
