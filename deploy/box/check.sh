#!/bin/sh
# Looks at a box of Hotlap: what makes its timings noisy, and what stands in the way of running jobs at all.
# Changes nothing and needs no root: run it as the box's user, `ssh hotlap@box sh -s < check.sh` will do.
#
# How it works: every finding is one line, `report STATUS CHECK WHAT [WHY FIX]`.
#   ok    nothing to do           warn  timings suffer, or something is missing that can be done without
#   fail  jobs will not run here, or not safely           skip  could not be looked at, and why
# Exit code: 0 all ok, 1 warnings, 2 failures, 64 wrong use. docs/boxes.md lists the checks.
set -u
LC_ALL=C
export LC_ALL

json=no root='' torch=''
while [ $# -gt 0 ]; do
    case $1 in
        --json) json=yes ;;
        --root) [ $# -ge 2 ] || { echo 'check.sh: --root wants a folder' >&2; exit 64; }; root=${2%/}; shift ;;
        -h | --help)
            echo 'sh check.sh [--json] [--root DIR]'
            echo '  --json      one JSON object a line: status, check, what, why, fix'
            echo '  --root DIR  judge a copy of /proc, /sys and /etc below DIR; what needs the machine itself is left out'
            exit 0 ;;
        *) echo "check.sh: $1 is no option; see --help" >&2; exit 64 ;;
    esac
    shift
done
proc=$root/proc sys=$root/sys etc=$root/etc cpus=$root/sys/devices/system/cpu
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin

warnings=0 failures=0
report() {
    case $1 in
        warn) warnings=$((warnings + 1)) ;;
        fail) failures=$((failures + 1)) ;;
    esac
    if [ $json = yes ]; then
        printf '%s\037%s\037%s\037%s\037%s' "$1" "$2" "$3" "${4-}" "${5-}" | tr '\n\t\r' '   ' | tr -d '\001-\010\013\014\016-\036' |
            awk -F '\037' 'BEGIN { split("status check what why fix", name, " ") }
                { for (i = 1; i <= 5; i++) { gsub(/\\/, "\\\\", $i); gsub(/"/, "\\\"", $i)
                    printf "%s\"%s\":\"%s\"", (i == 1 ? "{" : ","), name[i], $i } print "}" }'
    else
        printf '%-4s  %s: %s%s%s\n' "$1" "$2" "$3" "${4:+  — $4}" "${5:+  — fix: $5}"
    fi
}
val() { head -n 1 "$1" 2>/dev/null; }       # the first line of a file, or nothing
has() { command -v "$1" >/dev/null 2>&1; }
bounded() { if has timeout; then timeout 15 "$@"; else "$@"; fi; }
is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
is_more() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 > b + 0) }'; }
live() { # for what only the machine itself can tell
    [ -z "$root" ] && return
    report skip "$1" 'a copy of the files does not tell'
    return 1
}

# ---- processor ----

check_governor() {
    found=$(cat "$cpus"/cpu[0-9]*/cpufreq/scaling_governor 2>/dev/null | sort -u)
    case $found in
        '') report skip governor 'no frequency control here (a virtual machine leaves it to its host)' ;;
        performance) report ok governor performance ;;
        *) report warn governor "$(echo "$found" | tr '\n' ' ')" 'the clock follows the load, so the first runs are slower than later ones' \
            'cpupower frequency-set -g performance' ;;
    esac
}

check_turbo() {
    state=$(val "$cpus/intel_pstate/no_turbo") file=intel_pstate/no_turbo off=1
    [ -n "$state" ] || { state=$(val "$cpus/cpufreq/boost"); file=cpufreq/boost off=0; }
    case $state in
        '') report skip turbo 'no switch for it here' ;;
        "$off") report ok turbo off ;;
        *) report warn turbo on 'the clock depends on temperature and on how many cores are busy' "echo $off > /sys/devices/system/cpu/$file (as root)" ;;
    esac
}

check_smt() {
    case $(val "$cpus/smt/active") in
        1) report warn smt 'two threads share a core' 'a neighbour on the same core takes its time and cache' 'echo off > /sys/devices/system/cpu/smt/control (as root), or in the firmware' ;;
        0) report ok smt 'one thread a core' ;;
        *) report skip smt 'the kernel does not say' ;;
    esac
}

check_steal() {
    share=$(awk '/^cpu / { for (i = 2; i <= 9; i++) all += $i; if (all) printf "%.2f", 100 * $9 / all }' "$proc/stat" 2>/dev/null)
    machine='a machine of its own'
    if grep -q '^flags.* hypervisor' "$proc/cpuinfo" 2>/dev/null; then machine='a virtual machine'; fi
    if [ -z "$share" ]; then report skip steal 'no /proc/stat'
    elif is_more "$share" 0.1; then
        report warn steal "$share % of the time since boot was taken by the host ($machine)" 'other guests run on these cores' 'dedicated cores, or a machine without neighbours'
    else report ok steal "$share % since boot, $machine"; fi
}

check_load() {
    live load || return
    top=$({ cat /proc/stat /proc/[0-9]*/stat; sleep 1; echo later; cat /proc/stat /proc/[0-9]*/stat; } 2>/dev/null | awk -v self=$$ '
        /^later$/ { later = 1 }
        /^cpu / { t = 0; for (i = 2; i <= 9; i++) t += $i; total[later + 0] = t; idle[later + 0] = $5 + $6 }
        /^cpu[0-9]/ && !later { cores++ }
        /^[0-9]+ \(/ && $1 != self {
            name = $0; sub(/^[0-9]+ \(/, "", name); sub(/\) [A-Za-z] .*$/, "", name)
            rest = $0; sub(/^.*\) /, "", rest); split(rest, f, " ")
            if (!later) { before[$1] = f[12] + f[13]; next }
            if ($1 in before) { used[$1] = f[12] + f[13] - before[$1]; names[$1] = name }
        }
        END {
            dt = total[1] - total[0]; if (dt <= 0) exit
            printf "%d", 100 * (1 - (idle[1] - idle[0]) / dt)
            for (n = 1; n <= 3; n++) {
                best = 0; for (p in used) if (used[p] > best) { best = used[p]; pid = p }
                if (best * cores * 100 / dt < 5) break
                printf "%s %s (%s) %d %%", (n > 1 ? "," : ";"), names[pid], pid, best * cores * 100 / dt; delete used[pid]
            }
        }')
    busy=${top%%;*} who=${top#"${top%%;*}"}
    what="processors $busy % busy over a second, load $(cut -d' ' -f1-3 /proc/loadavg)${who:+; most by${who#;}}"
    if is_more "$busy" 10; then report warn load "$what" 'other work takes cores, cache and memory bandwidth' 'stop it or move it elsewhere while the box is in use'
    else report ok load "$what"; fi
}

check_numa() {
    nodes=$(find "$sys/devices/system/node" -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l)
    if [ "$nodes" -le 1 ]; then report ok numa 'one memory node'
    elif [ "$(val "$proc/sys/kernel/numa_balancing")" = 0 ]; then report ok numa "$nodes memory nodes, pages stay where they are"
    else report warn numa "$nodes memory nodes, balancing on" 'the kernel moves pages between sockets while a job runs' 'sysctl -w kernel.numa_balancing=0'; fi
}

check_thp() {
    case $(val "$sys/kernel/mm/transparent_hugepage/enabled") in
        '') report skip hugepages 'the kernel has no transparent huge pages' ;;
        *'[always]'*) report warn hugepages always 'the kernel joins pages whenever it likes and stalls the process meanwhile' 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root)' ;;
        *) report ok hugepages "$(val "$sys/kernel/mm/transparent_hugepage/enabled" | sed 's/.*\[\(.*\)\].*/\1/')" ;;
    esac
}

check_swap() {
    used=$(awk '/^SwapTotal:/ { t = $2 } /^SwapFree:/ { f = $2 } END { printf "%d", (t - f) / 1024 }' "$proc/meminfo" 2>/dev/null)
    if is_more "$used" 16; then report warn swap "$used MiB in use" 'a page that comes back from disk costs milliseconds' 'swapoff -a, and find out what filled the memory'
    else report ok swap "${used:-0} MiB in use"; fi
}

check_cpu_heat() {
    count=$(cat "$cpus"/cpu[0-9]*/thermal_throttle/*_throttle_count 2>/dev/null | awk '{ n += $1 } END { if (NR) print n }')
    case $count in
        '') report skip cpu-heat 'no counters here' ;;
        0) report ok cpu-heat 'never throttled since boot' ;;
        *) report warn cpu-heat "throttled $count times since boot" 'a hot processor runs slower' 'fans, dust, air; lower the power limit' ;;
    esac
}

# The groups we are in, from our own up to the root: the narrowest limit counts.
check_cgroup() {
    quota='' memory='' base=$sys/fs/cgroup
    own=$(sed -n 's/^0:://p' "$proc/self/cgroup" 2>/dev/null)
    for tree in "$base" "$base/unified" "$base/cpu" "$base/cpu,cpuacct" "$base/memory"; do
        case $tree in
            */cpu*) path=$(sed -n 's/^[0-9]*:[^:]*\<cpu\>[^:]*://p' "$proc/self/cgroup" 2>/dev/null) ;;
            */memory) path=$(sed -n 's/^[0-9]*:[^:]*memory[^:]*://p' "$proc/self/cgroup" 2>/dev/null) ;;
            *) path=$own ;;
        esac
        path=${path%/}
        while :; do
            read -r most period 2>/dev/null <"$tree$path/cpu.max" || { most=$(val "$tree$path/cpu.cfs_quota_us"); period=$(val "$tree$path/cpu.cfs_period_us"); }
            if is_number "$most" && is_number "$period"; then quota="$quota $(awk -v a="$most" -v b="$period" 'BEGIN { printf "%.1f", a / b }')"; fi
            most=$(val "$tree$path/memory.max"); most=${most:-$(val "$tree$path/memory.limit_in_bytes")}
            if is_number "$most" && [ ${#most} -lt 16 ]; then memory="$memory $((most / 1048576))"; fi
            [ -n "$path" ] || break
            path=${path%/*}
        done
    done
    quota=$(echo "$quota" | tr ' ' '\n' | sort -n | sed -n '/./{p;q;}') memory=$(echo "$memory" | tr ' ' '\n' | sort -n | sed -n '/./{p;q;}')
    what="${quota:+processor time of $quota cores}${quota:+${memory:+, }}${memory:+$memory MiB of memory}"
    if [ -n "$quota" ]; then report warn cgroup "bounded to $what" 'the kernel stops all of its processes when the share of a period is spent' 'give the container or slice whole cores (cpuset) instead of a quota'
    else report ok cgroup "no processor quota${memory:+, $what}"; fi
}

check_timers() {
    live updates || return
    has systemctl || { report skip updates 'no systemd here'; return; }
    on=$(for unit in unattended-upgrades.service apt-daily-upgrade.timer dnf-automatic.timer dnf-automatic-install.timer packagekit.service; do
        if [ "$(systemctl is-active $unit 2>/dev/null)" = active ]; then printf '%s ' $unit; fi; done)
    if [ -n "$on" ]; then report warn updates "by themselves: ${on% }" 'they work in the middle of a run, and a new driver library stops CUDA until the next boot' "systemctl disable --now $on(update by hand, with the box drained)"
    else report ok updates 'none by themselves'; fi
}

# ---- the machine ----

check_clock() {
    live clock || return
    state=$(bounded timedatectl show -p NTPSynchronized --value 2>/dev/null)
    if [ -z "$state" ] && has chronyc; then state=$(bounded chronyc -n tracking 2>/dev/null | awk -F ': ' '/^Leap status/ { print ($2 == "Normal") ? "yes" : "no" }'); fi
    case $state in
        yes) report ok clock 'kept by time servers' ;;
        no) report warn clock 'not kept by time servers' 'times in logs and results do not fit those of other machines' 'timedatectl set-ntp true, or install chrony' ;;
        *) report skip clock 'neither timedatectl nor chronyc answers' ;;
    esac
}

check_disk() {
    live disk || return
    home=${HOME:-/}
    free=$(df -Pk "$home" 2>/dev/null | awk 'NR == 2 { printf "%d", $4 / 1024 }')
    type=$(df -Pk "$home" 2>/dev/null | awk 'NR == 2 { print $NF }' | { read -r mount; awk -v m="$mount" '$2 == m { t = $3 } END { print t }' /proc/mounts; })
    if ! is_number "$free"; then report skip disk "df does not tell about $home"
    elif [ "$free" -lt 1024 ]; then report fail disk "$free MiB free for $home" 'jobs are refused when the disk is full' "empty ~/.hotlap/*/jobs of old jobs, or move $home"
    elif [ "$free" -lt 10240 ]; then report warn disk "$free MiB free for $home" 'compile caches and job folders take gigabytes' 'make room'
    else report ok disk "$free MiB free for $home"; fi
    case $type in
        tmpfs | ramfs) report warn disk-type "$home is memory ($type)" 'a reboot takes results that were not fetched yet' 'a home on a disk' ;;
        overlay | fuse* | nfs* | cifs | lustre | beegfs) report warn disk-type "$home is on $type" 'files cost more time there, and not always the same' 'a home on a local disk' ;;
        '') report skip disk-type 'unknown' ;;
        *) report ok disk-type "$type" ;;
    esac
    if [ -w "$home" ]; then report ok home "$home can be written"; else report fail home "$home cannot be written" 'Hotlap keeps its runner and the jobs there' "chown it to $(id -un)"; fi
}

check_ulimits() {
    for limit in 'Max open files:4096:nofile' 'Max processes:8192:nproc'; do
        name=${limit%%:*} key=${limit##*:} least=${limit#*:} least=${least%%:*}
        soft=$(awk -v name="$name" 'index($0, name) == 1 { split(substr($0, length(name) + 1), f, " "); print f[1] }' "$proc/self/limits" 2>/dev/null)
        case $soft in
            unlimited) report ok "$key" unlimited ;;
            '') report skip "$key" 'no /proc/self/limits' ;;
            *) if [ "$soft" -lt "$least" ]; then report warn "$key" "$soft" "a job may need $least and then fails for no fault of its own" "a line '$(id -un) - $key 65536' in /etc/security/limits.d (install.sh writes it)"
                else report ok "$key" "$soft"; fi ;;
        esac
    done
}

check_sandbox() {
    userns=
    [ "$(val "$proc/sys/kernel/unprivileged_userns_clone")" = 0 ] && userns='kernel.unprivileged_userns_clone = 0'
    [ "$(val "$proc/sys/user/max_user_namespaces")" = 0 ] && userns='user.max_user_namespaces = 0'
    [ "$(val "$proc/sys/kernel/apparmor_restrict_unprivileged_userns")" = 1 ] && apparmor=yes || apparmor=no
    if [ -n "$userns" ]; then report fail userns "$userns" 'the sandbox is made of user namespaces' 'install.sh --allow-userns'
    elif [ "$apparmor" = yes ]; then report warn userns 'AppArmor allows user namespaces to programs with a profile only' 'the sandbox is made of them; where bubblewrap below is ok, it has its profile' 'install.sh --allow-userns'
    else report ok userns allowed; fi
    live bubblewrap || return
    has bwrap || { report fail bubblewrap 'not installed' 'nothing else keeps submitted code away from this machine' 'install the package bubblewrap (install.sh does)'; return; }
    if said=$(bounded bwrap --ro-bind / / --proc /proc --dev /dev --unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-net \
        --die-with-parent --new-session --cap-drop ALL sh -c 'echo inside' 2>&1) && [ "$said" = inside ]; then
        report ok bubblewrap "$(bwrap --version 2>/dev/null), a trial run works"
    else
        report fail bubblewrap "a trial run fails: $(echo "$said" | tail -n 1)" 'nothing else keeps submitted code away from this machine' 'install.sh says what forbids it'
    fi
}

check_stage_limits() {
    live stage-limits || return
    own=$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)
    for tree in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        path=${own%/}
        while [ -f "$tree$path/cgroup.controllers" ]; do
            if [ -w "$tree$path/cgroup.procs" ] && [ -w "$tree$path" ] && grep -q memory "$tree$path/cgroup.controllers"; then report ok stage-limits "control group $tree$path"; return; fi
            [ -n "$path" ] || break
            path=${path%/*}
        done
    done
    memory=$(sed -n 's/^[0-9]*:[^:]*memory[^:]*://p' /proc/self/cgroup)
    if [ -n "$memory" ] && [ -w "/sys/fs/cgroup/memory${memory%/}" ]; then report ok stage-limits 'control groups, version 1'; return; fi
    report warn stage-limits 'no control group that this user may write' 'memory and processes are bounded for each process, not for all of a job together' 'none for an ordinary user; see docs/boxes.md, limits'
}

check_python() {
    live python || return
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 none; do
        if version=$("$name" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3]); sys.exit(sys.version_info < (3, 9))' 2>/dev/null); then break; fi
    done
    if [ "$name" = none ]; then report fail python 'no Python 3.9 or newer' 'the runner is written in it' 'install python3, on older systems python3.11 or the like'; return; fi
    report ok python "$version, $(command -v "$name")"
    torch=$(bounded "$name" -I -c 'if 1:
        import importlib.util, os, re
        text = open(os.path.join(os.path.dirname(importlib.util.find_spec("torch").origin), "version.py")).read()
        print(*[(re.findall(r"^%s\b[^=\n]*= *[\x27\"]([^\x27\"]*)" % key, text, re.M) or ["-"])[0] for key in ("__version__", "cuda", "hip")])' 2>/dev/null)
    if [ -n "$torch" ]; then report ok torch "${torch%% *}"; else report warn torch 'not installed for this Python' 'most problems need it' 'install it in the system, not in a home: the sandbox sees no homes'; fi
}

check_login() {
    if ! has loginctl && [ -z "$root" ]; then report skip logout 'no systemd-logind here'
    elif cat "$etc"/systemd/logind.conf "$etc"/systemd/logind.conf.d/*.conf 2>/dev/null | grep -qi '^ *KillUserProcesses *= *\(yes\|true\|1\|on\)'; then
        report fail logout 'KillUserProcesses is on' 'a job dies when its connection does' "KillExcludeUsers=root $(id -un) in /etc/systemd/logind.conf, then restart systemd-logind"
    else report ok logout 'processes stay when a connection ends'; fi
    [ -r "$etc/ssh/sshd_config" ] || { report skip sshd 'sshd_config is not readable'; return; }
    # The first value counts; what stands in Match blocks is not looked at.
    setting() { cat "$etc"/ssh/sshd_config.d/*.conf "$etc/ssh/sshd_config" 2>/dev/null | awk -v key="$1" 'tolower($1) == "match" { exit } tolower($1) == key { print $2; exit }'; }
    sessions=$(setting maxsessions)
    if [ -n "$(setting forcecommand)" ]; then report fail sshd "ForceCommand $(setting forcecommand)" 'Hotlap runs commands of its own' 'leave the box user out of it with a Match block'
    elif is_number "$sessions" && [ "$sessions" -lt 6 ]; then report warn sshd "MaxSessions $sessions" 'Hotlap holds one session open and opens up to four at once beside it' 'MaxSessions 10 in sshd_config'
    else report ok sshd "MaxSessions ${sessions:-10}, ClientAliveInterval $(setting clientaliveinterval | grep . || echo 0)"; fi
}

# ---- NVIDIA GPUs ----

check_gpus() {
    cards=$(for device in "$sys"/bus/pci/devices/*; do
        if [ "$(val "$device/vendor")" = 0x10de ]; then case $(val "$device/class") in 0x03*) echo card ;; esac; fi; done | wc -l)
    for level in "$sys"/class/drm/card[0-9]*/device/power_dpm_force_performance_level; do
        if [ "$(val "$level")" = auto ]; then report warn amd-clocks 'the clock of an AMD GPU is not fixed' 'it follows load and temperature' 'rocm-smi --setperfdeterminism FREQUENCY, or --setperflevel high'; fi
    done
    admin_only=$(sed -n 's/^\(RmProfilingAdminOnly\|RestrictProfilingToAdminUsers\): *//p' "$proc/driver/nvidia/params" 2>/dev/null | head -n 1)
    case $admin_only in
        '') ;;
        0) report ok profiling 'open to every user' ;;
        *) report warn profiling 'for root only' 'ncu fails with ERR_NVGPUCTRPERM, so submissions get no profile' \
            "a line 'options nvidia NVreg_RestrictProfilingToAdminUsers=0' in a file of /etc/modprobe.d, new initramfs, reboot" ;;
    esac
    if [ -n "$root" ]; then report skip gpu 'nvidia-smi is not asked about a copy of the files'; return; fi
    if ! has nvidia-smi; then
        if [ "$cards" -gt 0 ]; then report fail gpu "$cards NVIDIA cards, no nvidia-smi" 'without its driver a card is not used' 'install the driver of the distribution and reboot'
        else report skip gpu 'no nvidia-smi here: nothing to say about NVIDIA GPUs'; fi
        return
    fi
    # Newer drivers renamed the field and may drop the old name.
    for word in event throttle; do
        fields=index,name,driver_version,persistence_mode,clocks.sm,clocks.max.sm,clocks_${word}_reasons.active,power.limit,power.default_limit
        fields=$fields,ecc.mode.current,ecc.errors.uncorrected.volatile.total,mig.mode.current,pcie.link.width.current,pcie.link.width.max
        fields=$fields,temperature.gpu,utilization.gpu,memory.used,compute_mode
        rows=$(bounded nvidia-smi --format=csv,noheader,nounits --query-gpu="$fields" 2>&1) && break
        case $rows in *'not a valid field'*) ;; *) break ;; esac
    done
    case $rows in
        [0-9]*) ;;
        *) report fail gpu "nvidia-smi says: $(echo "$rows" | head -n 1)" 'no job can use a GPU' 'reboot after an update of the driver; otherwise dmesg tells (NVRM, Xid)'; return ;;
    esac
    check_cuda
    for node in /dev/nvidiactl /dev/nvidia-uvm /dev/nvidia[0-9]*; do
        [ -r "$node" ] && [ -w "$node" ] && continue
        report fail gpu-device "$node is missing or closed to $(id -un)" 'the sandbox gets the device files that are there when a job starts, and cannot make more' 'nvidia-modprobe -u -c 0 at every boot (the persistence daemon does); a missing group: usermod -aG'
    done
    apps=$(bounded nvidia-smi --query-compute-apps=pid,process_name,used_memory --format=csv,noheader 2>/dev/null | grep '^[0-9]' | head -n 5 | tr '\n' ';')
    if [ -n "$apps" ]; then report warn gpu-processes "${apps%;}" 'they take time, memory and power from whatever is timed' 'end them; Hotlap wants the card for itself'
    else report ok gpu-processes 'none'; fi
    while IFS=, read -r row; do check_card "$row"; done <<ROWS
$rows
ROWS
}

# The newest CUDA that the driver knows, beside what torch and nvcc were made for.
check_cuda() {
    driver=$(bounded nvidia-smi 2>/dev/null | sed -n 's/.*CUDA \(UMD \)\{0,1\}Version: *\([0-9][0-9.]*\).*/\2/p' | head -n 1)
    nvcc=$(PATH=$PATH:/usr/local/cuda/bin bounded nvcc --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
    wanted=${torch#* } wanted=${wanted%% *}
    for pair in "torch:$wanted" "nvcc:$nvcc"; do
        tool=${pair%%:*} version=${pair#*:}
        case $driver:$version in :* | *: | *:-) continue ;; esac
        if [ "${version%%.*}" -gt "${driver%%.*}" ]; then report fail cuda "$tool is for CUDA $version, the driver knows $driver" 'what it compiles does not start' "a newer driver, or $tool for CUDA ${driver%%.*}"
        elif [ "${version%%.*}" -eq "${driver%%.*}" ] && is_more "$(echo "${version#*.}" | cut -d. -f1)" "${driver#*.}"; then
            report warn cuda "$tool is for CUDA $version, the driver knows $driver" 'PTX made by it cannot be compiled by this driver' "a newer driver, or $tool for CUDA $driver"
        else report ok cuda "$tool for $version, the driver knows $driver"; fi
    done
    if [ "$wanted" = - ]; then report warn cuda 'torch here is made for the processor only' 'kernels for the GPU do not run with it' 'install the CUDA build of torch'; fi
}

check_card() { # one row of the query; every value may also be [N/A], [Not Supported] or the like
    old_ifs=$IFS IFS=,
    # shellcheck disable=SC2046 # Split at its commas on purpose.
    set -- $(printf %s "$1" | sed 's/ *, */,/g')
    IFS=$old_ifs
    gpu="GPU $1" i=$1
    report ok gpu "$gpu: $2, driver $3"
    if [ "$4" = Enabled ]; then report ok persistence "$gpu"; else report warn persistence "$gpu: off" 'the driver unloads between jobs, and the first call pays for it; locked clocks are lost' "nvidia-smi -i $i -pm 1, or nvidia-persistenced"; fi
    # nvidia-smi does not say whether clocks are locked. A locked card keeps its clock while idle, another one lets it fall.
    lock="nvidia-smi -i $i --lock-gpu-clocks=F,F with an F it can hold under load (nvidia-smi -q -d SUPPORTED_CLOCKS)"
    if ! is_number "$5" || ! is_number "$6" || ! is_number "${16}"; then report skip gpu-clocks "$gpu: not told"
    elif [ "${16}" -gt 5 ]; then report skip gpu-clocks "$gpu: busy (${16} %), only an idle card shows whether they are locked"
    elif [ $(($5 * 2)) -lt "$6" ]; then report warn gpu-clocks "$gpu: not locked ($5 of $6 MHz while idle)" 'clocks follow load and temperature' "$lock"
    elif [ "$5" -ge "$6" ]; then report warn gpu-clocks "$gpu: at its highest, $5 MHz" 'it cannot hold that clock under load' "$lock"
    else report ok gpu-clocks "$gpu: holds $5 of $6 MHz while idle"; fi
    case $7 in 0x*) reasons=$(($7)) ;; *) reasons=0 ;; esac
    slow=
    [ $((reasons & 0x04)) -ne 0 ] && slow="$slow, power limit"
    [ $((reasons & 0x60)) -ne 0 ] && slow="$slow, heat"
    [ $((reasons & 0x88)) -ne 0 ] && slow="$slow, the hardware's own brake"
    if [ -n "$slow" ]; then report warn gpu-throttled "$gpu: held back by${slow#,}" 'the clock is not the one that was set' 'lower the locked clock, raise the power limit, mend the cooling'
    else report ok gpu-throttled "$gpu: no"; fi
    if is_more "$9" "$8"; then report warn gpu-power "$gpu: limit $8 W, by default $9 W" 'under load the card is slower than others of its kind' "nvidia-smi -i $i -pl ${9%%.*}"; else report ok gpu-power "$gpu: limit $8 W"; fi
    case ${10} in
        Disabled) report warn gpu-ecc "$gpu: off" 'a flipped bit becomes a wrong answer, and speed differs from cards that have it on' "nvidia-smi -i $i -e 1, then reboot" ;;
        Enabled) if is_more "${11}" 0; then report fail gpu-ecc "$gpu: ${11} uncorrected errors" 'its memory is damaged: results are not to be trusted' 'reboot; take the card out if they return'; else report ok gpu-ecc "$gpu: on, no uncorrected errors"; fi ;;
        *) report ok gpu-ecc "$gpu: it has none" ;;
    esac
    if [ "${12}" = Enabled ]; then report fail gpu-mig "$gpu: split (MIG)" 'Hotlap leases whole cards, and slices share power and clock' "nvidia-smi -i $i -mig 0"; else report ok gpu-mig "$gpu: whole"; fi
    if is_number "${13}" && is_number "${14}" && [ "${13}" -lt "${14}" ]; then report warn gpu-pcie "$gpu: ${13} of ${14} lanes" 'copies to and from the card are slower' 'seat the card and its riser again, or another slot'
    else report ok gpu-pcie "$gpu: ${13} lanes"; fi
    if is_more "${15}" 80; then report warn gpu-heat "$gpu: ${15} degrees" 'close to where cards slow down' 'air, fans; wait until it is cool'; else report ok gpu-heat "$gpu: ${15} degrees"; fi
    if [ -z "$apps" ] && is_more "${17}" 1024; then report warn gpu-memory "$gpu: ${17} MiB in use by nobody" 'a process that is hidden or hung holds it' "fuser -v /dev/nvidia$i; nvidia-smi -i $i --gpu-reset, or reboot"
    else report ok gpu-memory "$gpu: ${17} MiB in use"; fi
    case ${18} in
        Default | '['*) report ok gpu-mode "$gpu: shared compute mode" ;;
        *) report warn gpu-mode "$gpu: compute mode ${18}" 'a job of several processes cannot use the card, or none can' "nvidia-smi -i $i -c DEFAULT" ;;
    esac
}

check_governor; check_turbo; check_smt; check_steal; check_load; check_numa; check_thp; check_swap; check_cpu_heat; check_cgroup; check_timers
check_clock; check_disk; check_ulimits; check_sandbox; check_stage_limits; check_python; check_login
check_gpus
if [ $failures -gt 0 ]; then exit 2; fi
[ $warnings -eq 0 ]
