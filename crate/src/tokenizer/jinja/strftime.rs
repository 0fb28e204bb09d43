//! `strftime` of C, in UTC and the C locale, with the flags and widths of glibc. What it does not know stays as it stands.

use std::fmt::{Result, Write};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// 0001-01-01 and 9999-12-31, what Python's dates reach.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A moment, taken apart.
struct Moment {
    unix_seconds: i64,
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
    /// From 0.
    day_of_year: i64,
    /// From Sunday, 0.
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

/// How a number is padded, and letters are changed.
#[derive(Clone, Copy, Default)]
struct Style {
    pad: Option<char>,
    upper: bool,
    change_case: bool,
    width: usize,
    /// `E` or `O`, which ask for a locale's own era or digits: C's has none.
    modifier: Option<char>,
}

/// Writes a moment in seconds since 1970. The dates before the year 1 and after 9999 count as the first and the last.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(format: &str, unix_seconds: i64, out: &mut dyn Write) -> Result {
    let moment = Moment::of(unix_seconds.clamp(*SECONDS.start(), *SECONDS.end()));
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.write_str(&rest[..at])?;
        let directive = &rest[at..];
        let (style, letter, length) = parse(&directive[1..]);
        rest = &directive[1 + length..];
        let known = match letter {
            Some(letter) if style.allows(letter) => moment.write(letter, style, out)?,
            _ => false,
        };
        if !known {
            style.text(&directive[..1 + length], false, false, out)?;
        }
    }
    out.write_str(rest)
}

/// Flags, width, modifier and letter after a `%`, and how long they are together.
fn parse(text: &str) -> (Style, Option<char>, usize) {
    let mut style = Style::default();
    let mut rest = text;
    loop {
        match rest.as_bytes().first() {
            Some(pad @ (b'_' | b'-' | b'0')) => style.pad = Some(char::from(*pad)),
            Some(b'^') => style.upper = true,
            Some(b'#') => style.change_case = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if digits > 0 {
        // What is not a number here is larger than any budget.
        style.width = rest[..digits].parse().unwrap_or(usize::MAX);
        rest = &rest[digits..];
    }
    if let Some(modifier @ ('E' | 'O')) = rest.chars().next() {
        style.modifier = Some(modifier);
        rest = &rest[1..];
    }
    let letter = rest.chars().next();
    let length = text.len() - rest.len() + letter.map_or(0, char::len_utf8);
    (style, letter, length)
}

impl Moment {
    fn of(unix_seconds: i64) -> Self {
        let (days, seconds) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        Self {
            unix_seconds,
            year,
            month,
            day,
            day_of_year: days - days_before_year(year),
            weekday: (days + 4).rem_euclid(7),
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// Writes what a letter stands for; gives back whether it is known.
    fn write(&self, letter: char, style: Style, out: &mut dyn Write) -> std::result::Result<bool, std::fmt::Error> {
        let day = DAYS[self.weekday as usize];
        let month = MONTHS[(self.month - 1) as usize];
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let hour_of_12 = (self.hour + 11) % 12 + 1;
        let (iso_year, iso_week) = self.iso_week();
        // `#` makes names large, and what is large small.
        let name = |text: &str, out: &mut dyn Write| style.text(text, style.upper || style.change_case, false, out);
        match letter {
            'a' => name(&day[..3], out)?,
            'A' => name(day, out)?,
            'b' | 'h' => name(&month[..3], out)?,
            'B' => name(month, out)?,
            'p' => style.text(half, style.upper, style.change_case, out)?,
            'P' => style.text(half, false, true, out)?,
            'Z' => style.text("UTC", style.upper, style.change_case, out)?,
            'c' => self.composite("%a %b %e %H:%M:%S %Y", style, out)?,
            'D' | 'x' => self.composite("%m/%d/%y", style, out)?,
            'F' => self.composite("%Y-%m-%d", style, out)?,
            'r' => self.composite("%I:%M:%S %p", style, out)?,
            'R' => self.composite("%H:%M", style, out)?,
            'T' | 'X' => self.composite("%H:%M:%S", style, out)?,
            'C' => style.number(self.year.div_euclid(100), 2, out)?,
            'd' => style.number(self.day, 2, out)?,
            'e' => style.spaced(self.day, out)?,
            'g' => style.number(iso_year.rem_euclid(100), 2, out)?,
            'G' => style.number(iso_year, 1, out)?,
            'H' => style.number(self.hour, 2, out)?,
            'I' => style.number(hour_of_12, 2, out)?,
            'j' => style.number(self.day_of_year + 1, 3, out)?,
            'k' => style.spaced(self.hour, out)?,
            'l' => style.spaced(hour_of_12, out)?,
            'm' => style.number(self.month, 2, out)?,
            'M' => style.number(self.minute, 2, out)?,
            's' => style.text(&self.unix_seconds.to_string(), false, false, out)?,
            'S' => style.number(self.second, 2, out)?,
            'u' => style.number((self.weekday + 6) % 7 + 1, 1, out)?,
            'U' => style.number((self.day_of_year - self.weekday + 7) / 7, 2, out)?,
            'V' => style.number(iso_week, 2, out)?,
            'w' => style.number(self.weekday, 1, out)?,
            'W' => style.number((self.day_of_year - (self.weekday + 6) % 7 + 7) / 7, 2, out)?,
            'y' => style.number(self.year.rem_euclid(100), 2, out)?,
            'Y' => style.number(self.year, 1, out)?,
            'z' => {
                out.write_char('+')?;
                style.number(0, 4, out)?;
            }
            // Python's own letter: microseconds.
            'f' => out.write_str("000000")?,
            'n' => style.text("\n", false, false, out)?,
            't' => style.text("\t", false, false, out)?,
            '%' => style.text("%", false, false, out)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn composite(&self, format: &str, style: Style, out: &mut dyn Write) -> Result {
        let mut text = String::new();
        write(format, self.unix_seconds, &mut text)?;
        style.text(&text, style.upper, false, out)
    }

    /// Year and week of ISO 8601: weeks begin on Monday, and the first one holds the year's first Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.day_of_year - (self.weekday + 6) % 7 + 3;
        let this_year = days_before_year(self.year + 1) - days_before_year(self.year);
        if thursday < 0 {
            let last_year = days_before_year(self.year) - days_before_year(self.year - 1);
            (self.year - 1, (thursday + last_year) / 7 + 1)
        } else if thursday >= this_year {
            (self.year + 1, (thursday - this_year) / 7 + 1)
        } else {
            (self.year, thursday / 7 + 1)
        }
    }
}

impl Style {
    /// Whether a letter may have this modifier.
    fn allows(self, letter: char) -> bool {
        match self.modifier {
            Some('E') => !"aAbBdDeFgGhHIjklmMSUVwW%".contains(letter),
            Some(_) => !"aAcDFxXY%".contains(letter),
            None => true,
        }
    }

    fn number(self, value: i64, digits: usize, out: &mut dyn Write) -> Result {
        let digits = digits.max(self.width);
        match self.pad {
            Some('-') => self.text(&value.to_string(), false, false, out),
            Some('_') => {
                let text = value.to_string();
                fill(' ', digits.saturating_sub(text.len()), out)?;
                out.write_str(&text)
            }
            _ => {
                let text = value.unsigned_abs().to_string();
                let sign = if value < 0 { "-" } else { "" };
                out.write_str(sign)?;
                fill('0', digits.saturating_sub(text.len() + sign.len()), out)?;
                out.write_str(&text)
            }
        }
    }

    /// A number of two places that is padded with a space.
    fn spaced(self, value: i64, out: &mut dyn Write) -> Result {
        Self { pad: self.pad.or(Some('_')), ..self }.number(value, 2, out)
    }

    fn text(self, text: &str, upper: bool, lower: bool, out: &mut dyn Write) -> Result {
        let filling = if self.pad == Some('0') { '0' } else { ' ' };
        fill(filling, self.width.saturating_sub(text.len()), out)?;
        match (lower, upper) {
            (true, _) => out.write_str(&text.to_ascii_lowercase()),
            (_, true) => out.write_str(&text.to_ascii_uppercase()),
            _ => out.write_str(text),
        }
    }
}

/// In pieces, so that `out` may refuse what is too much.
fn fill(char: char, count: usize, out: &mut dyn Write) -> Result {
    let piece = char.to_string().repeat(count.min(4096));
    let mut left = count;
    while left > 0 {
        let length = left.min(piece.len());
        out.write_str(&piece[..length])?;
        left -= length;
    }
    Ok(())
}

/// Days from 1970-01-01 to the first of January of a year.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar; years are counted from March, so that
/// the leap day is the last of a year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 { months_from_march + 3 } else { months_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
