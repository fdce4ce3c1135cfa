#!/bin/bash
# The first process of a node, in namespaces of its own, until it gives way to systemd.
# Usage: boot.sh DISK NAME BOOT_ID [TYPE:FOLDER:OPTIONS]...   (the cgroup hierarchies)
# It says "mounted" when the node's files are in place, and boots when it reads a line: by then there is a network.
set -eu
disk=$1 name=$2 boot_id=$3
shift 3

hostname "$name"
mount -t proc proc /proc

# Interfaces in /sys are those of the network namespace in which it was mounted.
mount -t sysfs sysfs /sys
[ "${1#cgroup2::}" != "$1" ] || mount -t tmpfs -o mode=755 cgroups /sys/fs/cgroup
for hierarchy in "$@"; do
  IFS=: read -r type folder options <<< "$hierarchy"
  mkdir -p "/sys/fs/cgroup/$folder"
  if [ "$type" = cgroup2 ]; then mount -t cgroup2 cgroup2 "/sys/fs/cgroup/$folder"
  else mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$folder"; fi
done

# Devices: the harmless ones. The kubelet reads kmsg; flannel and other tunnels may want tun.
mkdir -p "$disk/dev"
mount -t tmpfs -o mode=755 devices "$disk/dev"
for device in null zero full random urandom tty kmsg fuse loop-control; do
  [ ! -e "/dev/$device" ] || cp -a "/dev/$device" "$disk/dev/"
done
mkdir "$disk/dev/pts" "$disk/dev/shm" "$disk/dev/mqueue" "$disk/dev/net"
[ ! -e /dev/net/tun ] || cp -a /dev/net/tun "$disk/dev/net/"
ln -s /proc/self/fd "$disk/dev/fd"
ln -s fd/0 "$disk/dev/stdin" && ln -s fd/1 "$disk/dev/stdout" && ln -s fd/2 "$disk/dev/stderr"
ln -s pts/ptmx "$disk/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$disk/dev/pts"
mount -t tmpfs shm "$disk/dev/shm"
mount -t mqueue mqueue "$disk/dev/mqueue"
# A file system of its own for etcd, so that this one alone can be made slow.
if [ -e "$disk/etcd.img" ]; then
  mount -o loop "$disk/etcd.img" "$disk/var/lib/etcd"
  rmdir "$disk/var/lib/etcd/lost+found" 2> /dev/null || true
fi
mount --rbind "$disk/dev" /dev

# Host-wide settings: none may be changed from here. The kubelet wants some values and finds them.
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys
mkdir -p "$disk/settings"
while IFS='=' read -r setting value; do
  [ -e "/proc/sys/$setting" ] || continue
  echo "$value" > "$disk/settings/${setting//\//.}"
  mount --bind "$disk/settings/${setting//\//.}" "/proc/sys/$setting"
done <<- SETTINGS
	vm/overcommit_memory=1
	kernel/panic=10
	kernel/panic_on_oops=1
	kernel/random/boot_id=$boot_id
SETTINGS

# Files: the host's programs and configuration below, the node's own above. What must not shine through is covered.
mkdir -p "$disk/work/etc" "$disk/work/usr" "$disk/work/empty"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/work/etc" /etc
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$disk/usr,workdir=$disk/work/usr" /usr
mkdir -p /etc/kubernetes /etc/cni /etc/sysctl.d /etc/systemd/system /etc/default /etc/dualstack
for covered in etc/kubernetes etc/cni etc/sysctl.d etc/systemd/system; do
  mkdir -p "$disk/covered/$covered"
  mount --bind "$disk/covered/$covered" "/$covered"
done
for emptied in /usr/lib/sysctl.d /usr/lib/systemd/system/*.target.wants; do
  [ ! -d "$emptied" ] || mount --bind "$disk/work/empty" "$emptied"
done
mount -t tmpfs -o mode=755 run /run
mkdir /run/lock
own=(opt tmp root var/log var/lib)
# The folder that holds this disk is covered last, or the others could not be found any more.
for path in "${own[@]}"; do [[ $disk/ == /$path/* ]] || mount --rbind "$disk/$path" "/$path"; done
for path in "${own[@]}"; do [[ $disk/ != /$path/* ]] || mount --rbind "$disk/$path" "/$path"; done
mount --make-rshared /

echo mounted
read -r _
export container=namespaces
unset OLDPWD
cd /
exec /lib/systemd/systemd --system --unit=node.target --show-status=no --log-target=console --log-level=notice < /dev/null
