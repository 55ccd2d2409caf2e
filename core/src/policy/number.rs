//! A JSON number as the exact Cedar value it has, or none. Never rounds: what Cedar cannot hold is not a number here.

/// The exact value of a number's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exact {
    /// An integer of 64 bits, however it was written: `10`, `10.0`, `1e1`.
    Long(i64),
    /// A fraction of at most four decimal places, in Cedar's notation.
    Decimal(String),
}

/// Significant digits of the longest value that fits: 15 before the point and 4 after, or 19.
const DIGITS_MAX: usize = 19;

/// The value of `text`, a number in the grammar of RFC 8259 6; `None` if Cedar has no exact value for it.
pub(super) fn exact(text: &str) -> Option<Exact> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = mantissa
        .strip_prefix('-')
        .map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(Exact::Long(0));
    }
    if significant.len() > DIGITS_MAX {
        return None;
    }
    // The value is `units * 10^scale`, and `units` does not end in zero.
    let scale = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(zeros).ok()?)?;
    let units: i128 = significant.parse().ok()?;
    let units = if negative { -units } else { units };
    let scaled = |power: i64| {
        let factor = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
        i64::try_from(units.checked_mul(factor)?).ok()
    };
    if scale >= 0 {
        scaled(scale).map(Exact::Long)
    } else {
        scaled(scale + 4).map(|value| Exact::Decimal(decimal(value)))
    }
}

/// Ten-thousandths as Cedar writes a decimal.
fn decimal(ten_thousandths: i64) -> String {
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let absolute = ten_thousandths.unsigned_abs();
    format!("{sign}{}.{:04}", absolute / 10_000, absolute % 10_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fraction(text: &str) -> Option<Exact> {
        Some(Exact::Decimal(text.to_owned()))
    }

    #[test]
    fn integers_are_long_however_they_are_written() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0e99999999999999999999", 0),
            ("10", 10),
            ("10.0", 10),
            ("1e1", 10),
            ("1E+1", 10),
            ("1000e-2", 10),
            ("0.5e1", 5),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("1e18", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(exact(text), Some(Exact::Long(value)), "{text}");
        }
    }

    #[test]
    fn fractions_are_decimal_up_to_four_places() {
        assert_eq!(exact("1.5"), fraction("1.5000"));
        assert_eq!(exact("-0.0001"), fraction("-0.0001"));
        assert_eq!(exact("1.23450000"), fraction("1.2345"));
        assert_eq!(exact("12345e-4"), fraction("1.2345"));
        assert_eq!(exact("922337203685477.5807"), fraction("922337203685477.5807"));
        assert_eq!(exact("-922337203685477.5808"), fraction("-922337203685477.5808"));
    }

    #[test]
    fn what_cedar_cannot_hold_exactly_is_no_number() {
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "1e19",
            "1e400",
            "1e99999999999999999999",
            "0.00004",
            "2.00005",
            "922337203685477.5808",
            "1e-5",
            "1e-99999999999999999999",
            "123456789012345678901234567890",
        ] {
            assert_eq!(exact(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_long_is_exact(value: i64, zeros in 0_usize..6) {
            prop_assert_eq!(exact(&value.to_string()), Some(Exact::Long(value)));
            let padded = format!("{value}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(exact(&padded), Some(Exact::Long(value)));
        }

        #[test]
        fn every_decimal_is_exact(value: i64) {
            let text = decimal(value);
            let expected = if value % 10_000 == 0 { Exact::Long(value / 10_000) } else { Exact::Decimal(text.clone()) };
            prop_assert_eq!(exact(&text), Some(expected));
        }

        #[test]
        fn never_panics(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,25})?") {
            let _ = exact(&text);
        }
    }
}
