/** What a row of the configuration's table (config.ts) is, and the kinds of values that several rows share. */
import { z } from 'zod';

export interface Variable<T> {
  /** What the variable is for: becomes the comment in `.env.example`. */
  doc: string;
  /** Completes "NAME: should be ..." when the value is refused. */
  should: string;
  /** Takes the trimmed text, or undefined where the variable is unset or empty. */
  schema: z.ZodType<T, string | undefined>;
  /** The value is never repeated, neither in a fault nor in a log. */
  secret?: true;
}

export function variable<T>(row: Variable<T>): Variable<T> {
  return row;
}

export function optional<T>(schema: z.ZodType<T, string>): z.ZodType<T | null, string | undefined> {
  return schema.optional().transform((value) => value ?? null);
}

export const snowflake = optional(z.string().regex(/^\d{17,20}$/));
export const SNOWFLAKE = 'a Discord id of 17 to 20 digits (switch on developer mode, right-click, "Copy ID")';

/** Parts with commas between, each of this form; unset: none. */
export function list(form: RegExp): z.ZodType<string[] | null, string | undefined> {
  return optional(
    z
      .string()
      .transform((text) => text.split(',').map((part) => part.trim()))
      .pipe(z.array(z.string().regex(form))),
  );
}

export function wholeNumber(from: number, to: number, fallback: number) {
  return z
    .string()
    .regex(/^\d+$/)
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value >= from && value <= to);
}

export function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '';
}

/** An HTTP address, without slashes at its end. */
export function address(fallback: string) {
  return z
    .string()
    .default(fallback)
    .refine((text) => isUrl(text, ['http:', 'https:']))
    .transform((text) => text.replace(/\/+$/, ''));
}
