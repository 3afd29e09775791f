//! Numbers in JSON, as specs, sessions and records hold them.

/// Of all numbers, and of those from 0 to 1, which have most digits.
#[test]
fn every_number_that_is_written_comes_back_to_the_last_bit() {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..100_000 {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        let share = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        for wide in [f64::from_bits(bits), share].into_iter().filter(|it| it.is_finite()) {
            let text = serde_json::to_string(&wide).unwrap();
            let again: f64 = serde_json::from_str(&text).unwrap();
            assert_eq!(again.to_bits(), wide.to_bits(), "{text}");
        }
        let narrow = f32::from_bits(bits as u32);
        if narrow.is_finite() {
            let text = serde_json::to_string(&narrow).unwrap();
            let again: f32 = serde_json::from_str(&text).unwrap();
            assert_eq!(again.to_bits(), narrow.to_bits(), "{text}");
        }
    }
}
