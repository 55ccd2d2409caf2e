//! Links the appliance so that glommio's rings are created by `io::ring` (see there for the why).
//!
//! The argument goes to every target of this package that links: the binary, its tests and its benches.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--wrap=__sys_io_uring_setup");
}
