//! Memory that is asked for before it is needed, so that nobody waits for it: looking at one line after the other in no
//! order takes more time than what is done with them.

/// So many bytes come at once.
pub(crate) const LINE: usize = 64;

/// Asks for the line in which a value begins.
#[inline]
pub(crate) fn ask_for<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(value);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Asks for the line in which the value at a place begins, if there is one.
#[inline]
pub(crate) fn ask_for_one<T>(values: &[T], at: usize) {
    values.get(at).into_iter().for_each(ask_for);
}

/// Asks for a record; few are longer than what is asked for.
#[inline]
pub(crate) fn ask_for_record(bytes: &[u8]) {
    const MOST: usize = 1 << 10;
    ask_for_all(&bytes[..bytes.len().min(MOST)]);
}

/// Asks for all of some values.
#[inline]
pub(crate) fn ask_for_all<T>(values: &[T]) {
    values.iter().step_by((LINE / size_of::<T>()).max(1)).for_each(ask_for);
    values.last().into_iter().for_each(ask_for);
}
