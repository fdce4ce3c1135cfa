#!/usr/bin/env bash
# Makes an IPv4 cluster with kind, installs the operator in it, and converts it to IPv4 and IPv6 before your eyes.
#
#   hack/kind-demo.sh            the cluster is deleted at the end
#   KEEP=1 hack/kind-demo.sh     it stays
#
# Needs docker (or podman as `docker`), kind, kubectl and npm. CLUSTER names the cluster, NODE_IMAGE another image of kind's nodes.
set -euo pipefail
cd "$(dirname "$0")/.."
# The Node.js that npm installs here is new enough, whatever the system's is.
export PATH="$PWD/node_modules/.bin:$PATH"

cluster=${CLUSTER:-dualstack-demo}
image=dualstack-operator:dev
# One that is in use already may be another's.
network=kind

fail() {
  printf 'kind-demo: %s\n' "$*" >&2
  exit 1
}

say() {
  printf '\n── %s\n' "$*"
}

need() {
  command -v "$1" > /dev/null || fail "$1 is not on the PATH. $2"
}

check_tools() {
  need docker 'Install a container engine: https://docs.docker.com/engine/install/'
  need kind 'Install it: https://kind.sigs.k8s.io/docs/user/quick-start/#installation'
  need kubectl 'Install it: https://kubernetes.io/docs/tasks/tools/'
  need npm 'Install Node.js 20 or newer: https://nodejs.org'
  docker info > /dev/null 2>&1 || fail 'docker is installed, but its engine does not answer: start it, or see that you may use it (docker info tells).'
  if kind get clusters 2> /dev/null | grep -qx "$cluster"; then
    fail "there is a cluster $cluster already. Delete it (kind delete cluster --name $cluster) or name another: CLUSTER=…"
  fi
}

clean_up() {
  local code=$?
  if ((code != 0)); then tell_why; fi
  if [[ ${KEEP:-} == 1 ]]; then
    printf '\nThe cluster stays. Use it: kind export kubeconfig --name %s. Delete it: kind delete cluster --name %s\n' "$cluster" "$cluster"
  else
    say 'Deleting the cluster'
    kind delete cluster --name "$cluster"
  fi
  rm -rf "$scratch"
  exit "$code"
}

tell_why() {
  say 'It did not work. What the operator says:'
  kube get dualstackclusters -o wide || true
  kube -n dualstack-system get pods -o wide || true
  kube -n dualstack-system logs deployment/dualstack-operator --tail=40 || true
}

kube() {
  kubectl --kubeconfig "$scratch/kubeconfig" "$@"
}

make_cluster() {
  say 'An IPv4 cluster: one control-plane node, two workers, kindnet'
  kind create cluster --name "$cluster" --kubeconfig "$scratch/kubeconfig" ${NODE_IMAGE:+--image "$NODE_IMAGE"} --config - << 'CONFIG'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  ipFamily: ipv4
nodes:
  - role: control-plane
  - role: worker
  - role: worker
CONFIG
  # The agent restarts kubelets by the system bus, which kind's image may come without.
  local node
  for node in $(kind get nodes --name "$cluster"); do
    docker exec "$node" sh -c 'command -v dbus-daemon > /dev/null ||
      { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends dbus && systemctl start dbus.socket; } > /dev/null'
  done
  # Hosts must have IPv6 addresses: the operator gives none to them.
  for node in $(kind get nodes --name "$cluster"); do
    docker exec "$node" ip -6 address show dev eth0 scope global | grep -q inet6 ||
      fail "node $node has no IPv6 address: the docker network \"$network\" has no IPv6. Let docker do IPv6 (ip6tables), then: docker network rm $network; kind makes it anew."
  done
}

install_operator() {
  say 'The image of the operator'
  docker build --quiet --tag "$image" .
  kind load docker-image "$image" --name "$cluster"
  say 'The operator and its agents'
  kube apply -k config/default
  kube -n dualstack-system rollout status deployment/dualstack-operator --timeout=180s
  kube -n dualstack-system rollout status daemonset/dualstack-agent --timeout=180s
}

convert() {
  say 'Asking for both families'
  # kindnet takes the addresses of pods from the podCIDRs of the Nodes, and only a replaced Node gets a second one.
  kube apply -f - << 'RESOURCE'
apiVersion: dualstack.dev/v1alpha1
kind: DualStackCluster
metadata:
  name: cluster
spec:
  ipFamilies: [IPv4, IPv6]
  clusterNetwork:
    pods: {cidrBlocks: ["fd00:10:244::/56"]}
    services: {cidrBlocks: ["fd00:10:96::/112"]}
  nodes:
    podCIDRs: Replace
RESOURCE
  # The plug-in for kubectl is this program as well.
  timeout 1200 dist/kubectl-dualstack --kubeconfig "$scratch/kubeconfig" status --watch
}

show() {
  say 'Nodes'
  dist/kubectl-dualstack --kubeconfig "$scratch/kubeconfig" nodes
  kube get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs
  say 'A new pod and a new Service, each with two addresses'
  kube create deployment web --image=registry.k8s.io/e2e-test-images/agnhost:2.55 -- /agnhost netexec --http-port=8080
  kube rollout status deployment/web --timeout=120s
  kube create service clusterip web --tcp=80:8080
  kube patch service web -p '{"spec":{"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv4","IPv6"]}}'
  kube get pods -l app=web -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,IPS:.status.podIPs
  kube get service web -o custom-columns=NAME:.metadata.name,CLUSTER-IPS:.spec.clusterIPs
  local address
  for address in $(kube get service web -o jsonpath='{.spec.clusterIPs[*]}'); do
    docker exec "$cluster-worker" curl --silent --show-error --fail --max-time 10 --globoff "http://$(in_url "$address")/hostname"
    printf ' answered at %s\n' "$address"
  done
}

in_url() {
  case $1 in
    *:*) printf '[%s]' "$1" ;;
    *) printf '%s' "$1" ;;
  esac
}

check_tools
scratch=$(mktemp -d)
trap clean_up EXIT
say 'The program'
npm ci --no-audit --no-fund --silent
npm run --silent build
make_cluster
install_operator
convert
show
