//! Whether the processor is one that the program was built for.
//!
//! On x86-64 it is built for those with AVX2 (`.cargo/config.toml`), which takes less time and is in nearly all since 2013
//! (Intel) and 2015 (AMD). On others the system would only say that an instruction is illegal. What surprises: the usual
//! macro can't be asked, as it believes what the compiler was told.

/// Why the program can't run here, and what to do.
#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
pub(crate) fn refusal() -> Option<&'static str> {
    use std::arch::x86_64::__cpuid_count;
    // The system keeps wide registers; BMI1, AVX2 and BMI2.
    const LEAF_1_ECX: u32 = 1 << 27;
    const LEAF_7_EBX: u32 = 1 << 3 | 1 << 5 | 1 << 8;
    let has = |bits: u32, all: u32| bits & all == all;
    let is_new = __cpuid_count(0, 0).eax >= 7
        && has(__cpuid_count(1, 0).ecx, LEAF_1_ECX)
        && has(__cpuid_count(7, 0).ebx, LEAF_7_EBX);
    (!is_new).then_some(
        "error: this build of paynorm needs a processor with AVX2; \
         `RUSTFLAGS= cargo build --release` makes one for any x86-64\n",
    )
}

/// Why the program can't run here: there is nothing that it needs.
#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
pub(crate) fn refusal() -> Option<&'static str> {
    None
}
