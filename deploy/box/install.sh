#!/bin/sh
# Prepares this machine to be a box of Hotlap: an ordinary user with Hotlap's key, bubblewrap, Python, limits.
# docs/boxes.md explains every step.
#
# How it works: each step looks first and acts only where something is missing, so it can be run again at any time.
# What was changed is recorded under /var/lib/hotlap-box; --uninstall takes back what stands there. Everything that changes the machine goes through `change`, which --dry-run turns into words.
# Files in the user's home are written as that user: as root, a link placed there could lead the writing astray.
set -eu

usage() {
    cat <<'TEXT'
sh install.sh --key 'ssh-ed25519 AAAA... hotlap' | --key-file FILE     (run as root; FILE may be - for standard input)

  --user NAME      the account to make or use (hotlap)
  --host NAME      how Hotlap reaches this machine, for the command printed at the end
  --allow-userns   let ordinary users make user namespaces where this machine forbids it; the sandbox needs them
  --dry-run        print what would be done and change nothing
  --uninstall      take back what an earlier run did; packages stay
TEXT
}

say() { printf '%-10s  %s\n' "$1" "$2"; }

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Something that keeps this machine from being a box, found without ending the run.
still_open=
leave_open() {
    say skipped "$1"
    still_open="$still_open
  - $1"
}

# change WHAT COMMAND...: the only door to the machine.
change() {
    what=$1
    shift
    if [ "$dry_run" = yes ]; then say 'would do' "$what" && return; fi
    output=$("$@" 2>&1) || fail "$what: this failed: $output
Mend that and run this again; what is done already is not done twice."
    say 'done' "$what"
}

# note RECORD LINE: remembers a change for --uninstall.
note() {
    if [ "$dry_run" = yes ] || has_note "$1" "$2"; then return 0; fi
    mkdir -p "$records" && printf '%s\n' "$2" >>"$1"
}
has_note() { [ -f "$1" ] && grep -qxF -e "$2" "$1"; }

as_user() { su -s /bin/sh "$user" -c "$1"; }
user_exists() { getent passwd "$user" >/dev/null; }
entry_of() { getent passwd "$user" | cut -d: -f"$1"; }

# ---- the key ----

# Sets key_type, key_blob and key_line from the text of a public key, or refuses.
take_key() {
    text=$(printf '%s\n' "$1" | tr -d '\r' | grep -v -e '^[[:space:]]*$' -e '^#') ||
        fail "the key is empty. Hotlap shows its public key in the answer to /admin box add." 2
    case $text in
        *'PRIVATE KEY'*) fail "that is a private key, which must not leave its machine. Give the public one (.pub)." 2 ;;
        *"
"*) fail "that is more than one line. Give exactly one public key." 2 ;;
    esac
    set -f
    # shellcheck disable=SC2086 # Split into its words on purpose.
    set -- $text
    set +f
    key_type=$1 key_blob=${2-}
    shift
    if [ $# -gt 0 ]; then shift; fi
    comment=$(printf '%s' "$*" | tr -cd 'A-Za-z0-9@._ -' | cut -c1-80)
    key_ok=no
    case "$key_type $key_blob" in
        *[!A-Za-z0-9+/=' '-]*) ;;
        'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI'* | 'ssh-rsa AAAAB3NzaC1yc2E'* | 'ecdsa-sha2-nistp'*' AAAAE2VjZHNhLXNoYTItbmlzdH'*) key_ok=yes ;;
    esac
    # The form is right; whether the numbers in it are a key, ssh-keygen knows.
    if [ $key_ok = yes ] && command -v ssh-keygen >/dev/null; then
        printf '%s %s\n' "$key_type" "$key_blob" | ssh-keygen -l -f /dev/stdin >/dev/null 2>&1 || key_ok=no
    fi
    [ $key_ok = yes ] || fail "that is no SSH public key (one line: type, key, comment; ed25519, ecdsa or rsa).
Hotlap shows its public key in the answer to /admin box add. No options may stand in front of it." 2
    # No forwarding of any kind and no terminal; commands and file transfer are what is left.
    key_line="restrict $key_type $key_blob ${comment:-hotlap}"
}

step_key() {
    what="key: $key_type in ~$user/.ssh/authorized_keys, commands only (restrict)"
    found=
    if user_exists; then
        # shellcheck disable=SC2016 # Read by the user's shell and by awk.
        found=$(printf '%s\n' "$key_blob" | as_user 'read -r blob; cat ~/.ssh/authorized_keys 2>/dev/null |
            awk -v blob="$blob" "/^[ \t]*#/ { next } { for (i = 1; i <= NF; i++) if (\$i == blob) { print; exit } }"')
    fi
    case $found in
        '') note "$record" "key $key_blob" && change "$what" add_key ;;
        'restrict '*) say 'already so' "$what" ;;
        *) say 'already so' "key: it stands there with options of its own, which stay: $(printf %s "$found" | cut -c1-60)..." ;;
    esac
}
add_key() {
    printf '%s\n' "$key_line" | as_user 'set -e; umask 077; cd; [ -d .ssh ] || mkdir .ssh; file=.ssh/authorized_keys
        if [ -s $file ] && [ -n "$(tail -c 1 $file)" ]; then echo >>$file; fi
        cat >>$file' || return 1
    # A security policy may want its own label on what sshd reads.
    if command -v restorecon >/dev/null; then restorecon -R "$(entry_of 6)/.ssh"; fi
}
remove_key() {
    printf '%s\n' "$1" | as_user 'set -e; umask 077; read -r blob; cd; file=.ssh/authorized_keys; [ -f $file ] || exit 0
        awk -v blob="$blob" "{ for (i = 1; i <= NF; i++) if (\$i == blob) next; print }" $file >$file.hotlap
        cat $file.hotlap >$file; rm $file.hotlap'
}

# ---- the user ----

step_user() {
    if ! user_exists; then
        change "user $user: an ordinary account without a password, home /home/$user" make_user
    elif [ "$(entry_of 3)" -eq 0 ]; then
        fail "$user is root. A box wants an ordinary user: choose another name with --user." 2
    else
        case $(entry_of 7) in
            */nologin | */false) fail "the shell of $user lets nobody in. Choose another --user, or: usermod -s /bin/sh $user" ;;
        esac
        say 'already so' "user $user"
    fi
    # Passed through but not listed: a sandbox that runs under another uid has to reach what lies below.
    what="home: mode 0711"
    user_exists || { say 'would do' "$what"; return; }
    home=$(entry_of 6)
    [ -d "$home" ] || fail "the home of $user, $home, is no folder. Make it: mkhomedir_helper $user, or usermod -d"
    [ "$(stat -c %U "$home")" = "$user" ] ||
        fail "$home belongs to $(stat -c %U "$home"), not to $user. Move it away or choose another name with --user."
    if ! is_ours; then
        say skipped "$what: the account is not of our making and keeps its mode $(stat -c %a "$home")"
    elif [ "$(stat -c %a "$home")" = 711 ]; then
        say 'already so' "$what"
    else
        change "$what" chmod 0711 "$home"
    fi
}
make_user() {
    # '*' is no password either, but unlike '!' no lock, for which sshd may refuse keys too.
    useradd --create-home --user-group --shell /bin/sh --comment 'Hotlap box' --password '*' "$user" &&
        note "$record" "user $(entry_of 3)"
}
# Another account of this name, made after ours was taken away by hand, is not ours.
is_ours() { has_note "$record" "user $(entry_of 3)"; }

# ---- packages ----

step_packages() {
    wanted=
    if ! command -v bwrap >/dev/null; then wanted=bubblewrap; fi
    if ! command -v python3 >/dev/null; then wanted="${wanted:+$wanted }python3"; fi
    [ -n "$wanted" ] || { say 'already so' 'packages bubblewrap and python3'; return; }
    for manager in apt-get dnf zypper pacman; do
        if command -v "$manager" >/dev/null; then change "packages $wanted, with $manager" install_packages && return; fi
    done
    leave_open "packages $wanted: no apt-get, dnf, zypper or pacman here; install them by hand and run this again"
}
install_packages() {
    # shellcheck disable=SC2086 # Several names.
    case $manager in
        apt-get)
            export DEBIAN_FRONTEND=noninteractive
            set -- apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $wanted
            # The lists may be missing or old: once more with new ones.
            "$@" || { apt-get update && "$@"; } ;;
        dnf) dnf -y install $wanted ;;
        zypper) zypper --non-interactive install $wanted ;;
        pacman) pacman -S --noconfirm --needed $wanted ;;
    esac
}

step_python() {
    look='for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
        $name -c "import sys; print(sys.executable); sys.exit(sys.version_info < (3, 9))" 2>/dev/null && exit; done; exit 9'
    if [ "$dry_run" = yes ] && ! { user_exists && command -v python3 >/dev/null; }; then
        say 'would do' "look for a Python 3.9 or newer that $user can run"
    elif path=$(as_user "PATH=$PATH; $look"); then
        say 'already so' "Python 3.9 or newer: $(printf '%s\n' "$path" | tail -n 1)"
    else
        leave_open "Python: $user can run none that is 3.9 or newer; install one (a package like python3.11) in the system's folders"
    fi
}

# ---- the sandbox ----

try_sandbox() {
    as_user 'cd / && bwrap --ro-bind / / --proc /proc --dev /dev --unshare-user --unshare-pid --unshare-ipc --unshare-uts \
        --unshare-net --die-with-parent --new-session --cap-drop ALL true' 2>&1
}

step_sandbox() {
    if [ "$dry_run" = yes ] && ! { user_exists && command -v bwrap >/dev/null; }; then
        say 'would do' "try the sandbox as $user" && return
    fi
    command -v bwrap >/dev/null || { leave_open 'sandbox: not tried, bubblewrap is missing'; return; }
    if answer=$(try_sandbox); then say 'already so' "sandbox: bubblewrap works for $user" && return; fi
    # What forbids it, each with its own setting.
    forbidden=no
    userns_sysctl kernel.unprivileged_userns_clone 0 1
    userns_sysctl user.max_user_namespaces 0 10000
    if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then userns_apparmor; fi
    if [ $forbidden = yes ] && { [ "$dry_run" = yes ] || [ "$allow_userns" = no ]; }; then return; fi
    if answer=$(try_sandbox); then say 'done' "sandbox: bubblewrap works for $user" && return; fi
    leave_open "sandbox: bubblewrap fails for $user: $(printf '%s\n' "$answer" | tail -n 1). In a container (or chroot) its own settings may
    forbid it: let it make user namespaces (Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined)"
}

userns_sysctl() { # key, the value that forbids, the value that allows
    file=/proc/sys/$(printf %s "$1" | tr . /)
    [ "$(cat "$file" 2>/dev/null)" = "$2" ] || return 0
    forbidden=yes
    if [ "$allow_userns" = no ]; then
        leave_open "sandbox: $1 = $2 forbids user namespaces. Allowing them lets every local user make them, which widens what the
    kernel offers to attackers; the sandbox cannot do without. Run this again with --allow-userns, or: sysctl -w $1=$3"
        return
    fi
    note "$shared" "sysctl $1 $2"
    change "sysctl $1 = $3, kept in /etc/sysctl.d/60-hotlap-$1.conf" set_sysctl "$1" "$3" "$file"
}
set_sysctl() {
    printf '# Bubblewrap, the sandbox of Hotlap, needs user namespaces.\n%s = %s\n' "$1" "$2" >"/etc/sysctl.d/60-hotlap-$1.conf" &&
        printf '%s\n' "$2" >"$3"
}

apparmor_profile=/etc/apparmor.d/hotlap-bwrap
userns_apparmor() {
    forbidden=yes
    if [ "$allow_userns" = no ]; then
        leave_open "sandbox: AppArmor forbids user namespaces (kernel.apparmor_restrict_unprivileged_userns). A profile can allow them
    to bubblewrap alone, for every local user who calls it. Run this again with --allow-userns, or write $apparmor_profile by hand"
    elif ! command -v apparmor_parser >/dev/null; then
        leave_open "sandbox: AppArmor forbids user namespaces and apparmor_parser is missing: install the package apparmor"
    else
        note "$shared" apparmor && change "AppArmor profile $apparmor_profile: bubblewrap may make user namespaces" add_profile
    fi
}
add_profile() {
    cat >$apparmor_profile <<TEXT
# Bubblewrap, the sandbox of Hotlap, needs user namespaces; nothing else is loosened.
abi <abi/4.0>,
include <tunables/global>
profile hotlap-bwrap $(readlink -f "$(command -v bwrap)") flags=(unconfined) {
  userns,
}
TEXT
    apparmor_parser -r $apparmor_profile
}

# ---- limits and the SSH server ----

# What the runner asks for its stages, several lanes at once; core dumps stay off the disk.
limits_text() { printf '%s\n' '# Hotlap box' "$user - nofile 65536" "$user - nproc 32768" "$user - core 0"; }
step_limits() {
    what="limits: open files 65536, processes 32768, no core dumps, in $limits_file"
    if [ ! -d /etc/security ]; then
        say skipped "limits: this machine has no /etc/security (pam_limits); check.sh tells whether its own limits are enough"
    elif [ "$(cat "$limits_file" 2>/dev/null)" = "$(limits_text)" ]; then
        say 'already so' "$what"
    else
        note "$record" limits && change "$what" write_limits
    fi
}
write_limits() { mkdir -p "${limits_file%/*}" && limits_text >"$limits_file"; }

# Only looked at: who may log in here is decided by whoever runs the machine.
step_sshd() {
    port=22
    command -v sshd >/dev/null || { leave_open 'SSH server: there is none; install openssh-server and start it'; return; }
    settings=$(sshd -T -C "user=$user,host=localhost,addr=127.0.0.1" 2>/dev/null) ||
        { say skipped 'SSH server: its settings cannot be read (sshd -T); see that it takes public keys'; return; }
    setting() { printf '%s\n' "$settings" | awk -v key="$1" '$1 == key { $1 = ""; print substr($0, 2); exit }'; }
    port=$(setting port)
    problem=
    [ "$(setting pubkeyauthentication)" = yes ] || problem='it takes no public keys (PubkeyAuthentication yes)'
    [ "$(setting forcecommand)" = none ] || problem="it allows one command only (ForceCommand $(setting forcecommand))"
    keys=$(setting authorizedkeysfile)
    [ "${keys#*.ssh/authorized_keys}" != "$keys" ] || problem="it reads keys from $keys: put the key there"
    if [ -n "$problem" ]; then
        leave_open "SSH server: $problem"
    elif [ -n "$(setting allowusers)$(setting allowgroups)$(setting denyusers)$(setting denygroups)" ]; then
        say skipped "SSH server: it chooses who may log in (AllowUsers and the like in sshd_config): see that $user may"
    else
        say 'already so' "SSH server: takes keys, port $port"
    fi
}

finish() {
    name=$(uname -n | cut -d. -f1 | tr -cd 'A-Za-z0-9_.-' | cut -c1-40)
    if [ -z "$host" ]; then host=$(hostname -f 2>/dev/null) || host=; fi
    case $host in
        localhost* | ip6-*) host= ;;
        *.*) ;;
        *) host=$(hostname -I 2>/dev/null | cut -d' ' -f1) || host= ;;
    esac
    add="/admin box add name:${name:-box} host:${host:-HOST} user:$user"
    if [ "$port" != 22 ]; then add="$add port:$port"; fi
    gpus=$(find /proc/driver/nvidia/gpus -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
    if [ "$gpus" -gt 1 ]; then add="$add slots:$gpus"; fi
    [ -z "$still_open" ] || fail "not a box yet. Still open:$still_open
Then, in Discord: $add"
    printf 'In Discord (the host as Hotlap reaches it): %s\n' "$add"
}

# ---- taking it back ----

uninstall() {
    [ -f "$record" ] || { say 'already so' "nothing of ours is recorded for $user ($record)"; return; }
    if ! user_exists; then
        say 'already so' "user $user is gone"
    elif is_ours; then
        # What has just ended may be listed a little longer; what is dead and only not yet reaped does not count.
        for pause in 1 1 1 2; do [ -z "$(ps -o pid= -u "$user" 2>/dev/null)" ] || sleep $pause; done
        busy=$(ps -o stat= -o pid= -o comm= -u "$user" 2>/dev/null | awk '!/^Z/' | head -n 5)
        [ -z "$busy" ] || fail "$user still runs something:
$busy
Take the box out with /admin box remove, let its jobs end, and run this again."
        change "user $user and its home removed" userdel --remove "$user"
    else
        sed -n 's/^key //p' "$record" | while read -r blob; do
            change "key ending in $(printf %s "$blob" | tail -c 12) taken out of ~$user/.ssh/authorized_keys" remove_key "$blob"
        done
        say skipped "user $user: not of our making, stays with its home"
    fi
    if has_note "$record" limits; then change "$limits_file removed" rm -f "$limits_file"; fi
    if [ -f "$shared" ]; then
        others=$(find "$records" -type f ! -name "$user" ! -path "$shared" | head -n 1)
        if [ -n "$others" ]; then
            say skipped "what allows user namespaces stays: the box user ${others##*/} needs it too"
        else
            sed -n 's/^sysctl //p' "$shared" | while read -r name old; do
                change "sysctl $name = $old again" restore_sysctl "$name" "$old"
            done
            if has_note "$shared" apparmor; then change "$apparmor_profile removed" remove_profile; fi
            change "record $shared removed" rm -f "$shared"
        fi
    fi
    change "record $record removed" forget
}
restore_sysctl() { rm -f "/etc/sysctl.d/60-hotlap-$1.conf" && printf '%s\n' "$2" >"/proc/sys/$(printf %s "$1" | tr . /)"; }
remove_profile() { apparmor_parser -R $apparmor_profile && rm -f $apparmor_profile; }
forget() { rm -f "$record" && { rmdir "$records" 2>/dev/null || :; }; }

# ---- what is asked for ----

user=hotlap host='' key='' has_key=no allow_userns=no dry_run=no action=install
while [ $# -gt 0 ]; do
    case $1 in
        --key | --key-file | --user | --host) [ $# -ge 2 ] || fail "$1 wants a value; see --help" 2 ;;
    esac
    case $1 in
        --key) key=$2 has_key=yes; shift ;;
        --key-file)
            [ "$2" = - ] || { [ -f "$2" ] && exec <"$2"; } || fail "there is no readable file $2" 2
            key=$(head -c 20000) has_key=yes; shift ;;
        --user) user=$2; shift ;;
        --host) host=$2; shift ;;
        --allow-userns) allow_userns=yes ;;
        --dry-run) dry_run=yes ;;
        --uninstall) action=uninstall ;;
        --help | -h) usage; exit 0 ;;
        *) fail "$1 is no option; see --help" 2 ;;
    esac
    shift
done
case $user in
    [!a-z_]* | *[!a-z0-9_-]* | '' | ?????????????????????????????????*)
        fail "'$user' is no user name that every system takes: lower-case letters, digits, - and _, at most 32" 2 ;;
esac
case $host in *[!A-Za-z0-9.:_-]*) fail "'$host' is no host name or address" 2 ;; esac
[ "$action" = uninstall ] || [ $has_key = yes ] || fail "the key is missing: --key or --key-file; see --help" 2
if [ $has_key = yes ]; then take_key "$key"; fi
[ "$(uname -s)" = Linux ] || fail "boxes with a sandbox are Linux machines; this is $(uname -s)"
[ "$(id -u)" -eq 0 ] || fail "this makes an account and so has to run as root: sudo sh install.sh ..."

# Not the caller's: what root finds in a home of its own is nothing that the box's user can run.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
cd /
records=/var/lib/hotlap-box
record=$records/$user
# What serves every box user of this machine; no user name starts with a dot.
shared=$records/.userns
limits_file=/etc/security/limits.d/60-hotlap-$user.conf

if [ $action = uninstall ]; then
    uninstall
else
    for step in user key packages python sandbox limits sshd; do "step_$step"; done
    finish
fi
