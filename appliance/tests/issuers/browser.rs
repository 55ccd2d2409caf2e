//! A person before a browser: follows redirects with cookies, fills in the forms of `oidc-provider`, agrees to everything.

use std::collections::BTreeMap;

use hyper::Uri;

use crate::client::REDIRECT;
use crate::http::{Answer, Http};

/// Pages and redirects of one login; more is a circle.
const STEPS: usize = 20;

/// Goes from `start` to where the client gets its answer, and returns that URL.
pub(crate) fn walk(http: &Http, start: String, user: &str) -> String {
    let (mut url, mut jar) = (start, Jar::default());
    let mut form: Option<Vec<_>> = None;
    for _ in 0..STEPS {
        let cookies = jar.header();
        let headers = [("cookie", &*cookies)];
        let answer = match form.take() {
            None => http.get(&url, &headers),
            Some(fields) => http.post(&url, &headers, &fields),
        };
        jar.keep(&answer);
        match answer.status {
            302 | 303 => {
                url = resolve(&url, answer.header("location").unwrap());
                if url.starts_with(REDIRECT) {
                    return url;
                }
            }
            200 => form = Some(filled(&answer.text(), user)),
            _ => panic!("{url} answered {}: {}", answer.status, answer.text()),
        }
    }
    panic!("the login goes in circles; it is at {url}");
}

/// What is posted to the page's own URL.
fn filled<'a>(page: &str, user: &'a str) -> Vec<(&'a str, &'a str)> {
    if page.contains(r#"name="prompt" value="login""#) {
        vec![("prompt", "login"), ("login", user), ("password", "any")]
    } else if page.contains(r#"name="prompt" value="consent""#) {
        vec![("prompt", "consent")]
    } else {
        panic!("not a form of a login: {page}")
    }
}

fn resolve(base: &str, location: &str) -> String {
    if location.starts_with("http") {
        return location.to_owned();
    }
    let base: Uri = base.parse().unwrap();
    format!(
        "{}://{}{location}",
        base.scheme_str().unwrap(),
        base.authority().unwrap()
    )
}

/// Cookies by name; one server, so their paths do not matter.
#[derive(Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn header(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }
}
