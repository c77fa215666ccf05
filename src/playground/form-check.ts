import type { FormFault } from './discord-error.ts';
import { invalidForm } from './discord-error.ts';

export type Json = Record<string, unknown>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Objects of a JSON array; anything else in it is dropped, as is a value that is no array. */
export function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}

/** Collects the faults of one form, then throws them together as Discord does (50035). */
export class FormCheck {
  readonly faults: FormFault[] = [];

  fault(path: string, code: string, message: string): void {
    this.faults.push({ path, code, message });
  }

  /** A text within [min, max] characters; `required` also refuses its absence. Returns it, or '' when there is none. */
  text(path: string, value: unknown, limits: { min?: number; max: number; required?: boolean }): string {
    if (value === undefined || value === null || (value === '' && (limits.min ?? 0) > 0)) {
      if (limits.required) this.fault(path, 'BASE_TYPE_REQUIRED', 'This field is required');
      return '';
    }
    if (typeof value !== 'string') {
      this.fault(path, 'STRING_TYPE_CONVERT', 'Could not interpret value as string.');
      return '';
    }
    const length = [...value].length;
    const min = limits.min ?? 0;
    if (length > limits.max) {
      if (min > 0) {
        this.fault(path, 'BASE_TYPE_BAD_LENGTH', `Must be between ${min} and ${limits.max} in length.`);
      } else {
        this.fault(path, 'BASE_TYPE_MAX_LENGTH', `Must be ${limits.max} or fewer in length.`);
      }
    }
    return value;
  }

  list(path: string, value: unknown, limits: { min?: number; max: number }): Json[] {
    if (value === undefined || value === null) {
      if ((limits.min ?? 0) > 0) this.fault(path, 'BASE_TYPE_REQUIRED', 'This field is required');
      return [];
    }
    if (!Array.isArray(value)) {
      this.fault(path, 'LIST_TYPE_CONVERT', 'Only iterables may be used in a ListType');
      return [];
    }
    const min = limits.min ?? 0;
    if (value.length > limits.max || value.length < min) {
      this.fault(path, 'BASE_TYPE_BAD_LENGTH', `Must be between ${min} and ${limits.max} in length.`);
    }
    return objectsOf(value);
  }

  done(): void {
    if (this.faults.length > 0) throw invalidForm(this.faults);
  }
}
