import { rowOf } from "@millrace/core/internal";
import { beforeEach, expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { recordedDay } from "../testing/recorded-day.ts";
import { Stepper } from "./stepper.ts";

const day = recordedDay().records;
let stepper: Stepper;

function over(records: typeof day): Stepper {
  const recording = {
    path: "x",
    name: "x",
    isFile: true,
    isDatabase: false,
    redacted: false,
    rows: () => records.map(rowOf),
    [Symbol.dispose]: () => {},
  };
  return new Stepper(recording, paletteFor({}, {}));
}

beforeEach(() => {
  stepper = over(day);
});

/** Events that a command shows. */
const shows = (command: string) =>
  [...(stepper.run(command) ?? "").matchAll(/^ +(\d+) /gm)].map(([, seq]) => Number(seq));

test("forwards and back, an input and its decisions at a time", () => {
  expect(shows("")).toEqual([1]);
  expect(shows("n 3")).toEqual([2, 3, 4, 5]);
  expect(shows("b")).toEqual([3]);
  expect(shows("b 2")).toEqual([1]);
  expect(stepper.run("b")).toMatch(/begins here/);
  expect(shows("n")).toEqual([2]);
  expect(stepper.run("n 99")).toMatch(/the log ends here\n$/);
});

test("to an event, a decision, a pod, a difference", () => {
  expect(shows("g 9")).toEqual([8, 9]);
  expect(shows("g 2")).toEqual([2]);
  expect(shows("d")).toEqual([4, 5]);
  expect(shows("d")).toEqual([8, 9]);
  expect(shows("p shop/web-1")).toEqual([10]);
  expect(shows("p web-1")).toEqual([12, 13]);
  expect(stepper.run("x")).toBe("no further difference\n");
  expect(stepper.run("g 99")).toBe("the log ends before event 99\n");
  stepper = over(day.filter(({ seq }) => seq !== 6));
  expect(stepper.run("x")).toMatch(/event 6 is missing/);
  expect(stepper.run("")).toContain("not compared");
});

test("the state at the point that is shown, and its rows", () => {
  expect(stepper.run("s")).toMatch(/nothing has happened yet/);
  stepper.run("g 4");
  stepper.run("n 5");
  stepper.run("g 4");
  expect(stepper.run("s")).toContain("state after event 5\n");
  expect(stepper.run("s web-2")).not.toContain("web-1");
  expect(stepper.run("j")).toBe(
    day
      .slice(3, 5)
      .map((record) => `${rowOf(record).line}\n`)
      .join(""),
  );
});

test("help for what is none, and an end", () => {
  for (const command of ["h", "?", "g", "g x", "p"]) expect(stepper.run(command)).toMatch(/^enter, n/);
  expect(stepper.run("q")).toBeUndefined();
});
