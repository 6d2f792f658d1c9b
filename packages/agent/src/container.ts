import { Container } from "inversify";

declare const provides: unique symbol;

/** Names one part of the agent and carries its type, which inversify's own identifiers lose. */
export interface Token<T> {
  readonly key: symbol;
  /** Exists for the compiler only. */
  readonly [provides]?: T;
}

type Provided<Tokens extends readonly Token<unknown>[]> = {
  [Index in keyof Tokens]: Tokens[Index] extends Token<infer T> ? T : never;
};

export function token<T>(name: string): Token<T> {
  return { key: Symbol(name) };
}

/**
 * The parts of the agent and what each is made from. Every part is made once, when first asked for.
 *
 * The only file that knows inversify; without decorators, which plain Node cannot run. Dependencies are given as tokens, so a
 * swapped or missing one does not compile.
 */
export class Composition {
  readonly #container = new Container({ defaultScope: "Singleton" });

  /** Says how `made` is built from the parts that `needs` names, in that order. */
  bind<T, const Needs extends readonly Token<unknown>[]>(
    made: Token<T>,
    needs: Needs,
    factory: (...parts: Provided<Needs>) => NoInfer<T> | Promise<NoInfer<T>>,
  ): this {
    const build = factory as (...parts: unknown[]) => T | Promise<T>;
    this.#container.bind<T>(made.key).toResolvedValue(
      build,
      needs.map((need) => need.key),
    );
    return this;
  }

  /** Hands in a part that was made elsewhere. */
  value<T>(made: Token<T>, part: NoInfer<T>): this {
    this.#container.bind<T>(made.key).toDynamicValue(() => part);
    return this;
  }

  /** Makes a part and everything it needs. Rejects with the reason of the first factory that fails. */
  get<T>(wanted: Token<T>): Promise<T> {
    return this.#container.getAsync<T>(wanted.key);
  }
}
