/** A size that the environment may set: a whole number above zero. */
export function numberFrom(variable: string, otherwise: number): number {
  const text = process.env[variable];
  if (text === undefined || text === "") return otherwise;
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new RangeError(`${variable} is ${JSON.stringify(text)}: a whole number above zero is wanted`);
}
