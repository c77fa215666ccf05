/** A machine that an organiser wants to register. */
export interface NewBox {
  name: string;
  host: string;
  port: number;
  username: string;
  /** `SHA256:...`, as the organiser confirmed it. */
  hostKey: string;
  /** Null: from the model that the probe finds. */
  gpuTypes: string[] | null;
  slots: number;
}
