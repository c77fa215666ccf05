/**
 * Stands in for a driver: an `nvidia-smi` that answers the questions which the runner asks, from a file that a test
 * rewrites. A machine without a GPU is treated as one with those, as far as the driver's tool goes.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface FakeGpu {
  model?: string;
  utilization?: number;
  memoryUsedMib?: number;
  /** What computes on it: name and MiB. */
  process?: { name: string; pid: number; memoryMib: number };
}

const TOOL = `#!/usr/bin/python3
import json, os, sys
gpus = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpus.json")))
option = sys.argv[1]
def row(index, gpu):
    return {
        "index": str(index), "name": gpu["model"], "memory.total": "81559", "driver_version": "580.65.06",
        "memory.used": str(gpu["memoryUsedMib"]), "uuid": "GPU-%032d" % index, "pci.bus_id": "00000000:%02X:00.0" % index,
        "utilization.gpu": str(gpu["utilization"]), "temperature.gpu": "41",
    }
if option.startswith("--query-gpu="):
    fields = option.split("=", 1)[1].split(",")
    for index, gpu in enumerate(gpus):
        print(", ".join(row(index, gpu)[field] for field in fields))
elif option.startswith("--query-compute-apps="):
    for index, gpu in enumerate(gpus):
        one = gpu.get("process")
        if one:
            print(", ".join(["GPU-%032d" % index, str(one["pid"]), one["name"], str(one["memoryMib"])]))
else:
    sys.exit("unknown option " + option)
`;

/** Writes the tool into `folder`, which is then to stand first on the PATH of the box. */
export async function installFakeGpus(folder: string, gpus: FakeGpu[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await setFakeGpus(folder, gpus);
  await writeFile(path.join(folder, 'nvidia-smi'), TOOL);
  await chmod(path.join(folder, 'nvidia-smi'), 0o755);
}

export async function setFakeGpus(folder: string, gpus: FakeGpu[]): Promise<void> {
  const full = gpus.map((gpu) => ({
    model: 'NVIDIA H100 80GB HBM3',
    utilization: 0,
    memoryUsedMib: 4,
    ...gpu,
  }));
  await writeFile(path.join(folder, 'gpus.json'), JSON.stringify(full));
}
