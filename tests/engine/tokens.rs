//! Text as GPT-2's tokens, other subjects that fit into a prompt, and what flags say of a fact.

use factscope::facts::{Fact, Record};
use factscope::tokens::{
    Bos, Flags, GPT2_MERGES, TokenizedPrompt, Tokenizer, first_substitutes, flags, gpt2_vocabulary,
    substitutes, visible,
};

#[cfg(target_os = "linux")]
use super::support::is_alone;

fn gpt2() -> Tokenizer {
    Tokenizer::from_vocabulary(gpt2_vocabulary(&GPT2_MERGES).unwrap(), &GPT2_MERGES).unwrap()
}

fn ids(text: &str) -> Vec<u32> {
    gpt2().encode(text).unwrap().iter().map(|token| token.id).collect()
}

#[test]
fn the_vocabulary_is_gpt2s() {
    let gpt2 = gpt2();
    assert_eq!(gpt2.n_vocab(), 50_257);
    assert_eq!(gpt2.bos(), Some(50_256));
    // From OpenAI's encoder.
    assert_eq!(ids("The Eiffel Tower is located in"), [464, 412, 733, 417, 8765, 318, 5140, 287]);
    assert_eq!(ids(" Paris"), [6342]);
}

#[test]
fn offsets_are_bytes_even_inside_a_character() {
    let text = "Café 東京\n";
    let tokens = gpt2().encode(text).unwrap();
    assert_eq!(tokens.first().unwrap().bytes.start, 0);
    assert_eq!(tokens.last().unwrap().bytes.end, text.len());
    assert!(tokens.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start));
}

#[test]
fn end_of_text_in_a_prompt_is_one_token() {
    assert_eq!(ids("a<|endoftext|>b"), [64, 50_256, 65]);
}

#[test]
fn a_tokenizer_comes_back_from_json() {
    let again = Tokenizer::from_json(&gpt2().to_json()).unwrap();
    let text = "Café 東京<|endoftext|> Paris\n";
    assert_eq!(again.encode(text).unwrap(), gpt2().encode(text).unwrap());
    assert_eq!(again.bos(), Some(50_256));
}

#[test]
fn spaces_and_line_ends_are_made_visible() {
    assert_eq!(visible(" Paris\n\t"), "·Paris↩→");
}

#[test]
fn only_subjects_of_as_many_tokens_fit() {
    let tokenizer = gpt2();
    let others = [
        ("France", Some("Paris")),
        ("Spain", Some("Madrid")),
        ("Liechtenstein", Some("Vaduz")),
        ("Spain", None),
        ("Peru", None),
    ];
    for (template, bos) in [("The capital of {} is", Bos::Off), ("{}'s capital is", Bos::On)] {
        let fact = Fact::from_template(template, "France").unwrap();
        let found = substitutes(&tokenizer, &fact, bos, others).unwrap();
        let prompt = TokenizedPrompt::new(&tokenizer, &fact, bos).unwrap();
        for it in &found {
            assert_eq!(it.ids.len(), prompt.subject.clone().unwrap().len());
            let text: String = it.ids.iter().map(|&id| tokenizer.readable(id)).collect();
            assert_eq!(text.trim_start(), it.subject);
        }
        if bos == Bos::Off {
            let names: Vec<&str> = found.iter().map(|it| it.subject.as_str()).collect();
            assert_eq!(names, ["Spain", "Peru"]);
            assert_eq!(found[0].answer.as_deref(), Some("Madrid"));
            let first = first_substitutes(&tokenizer, &fact, bos, others, 1).unwrap();
            assert_eq!(first, found[..1]);
        }
    }
    let no_subject = Fact::from_text("The capital is", None).unwrap();
    assert_eq!(substitutes(&tokenizer, &no_subject, Bos::Off, others).unwrap(), []);
}

fn found(facts: &[(&str, &str, &str)]) -> Vec<Flags> {
    let records: Vec<Record> = facts
        .iter()
        .map(|(template, subject, answer)| {
            let fact = Fact::from_template(template, subject).unwrap();
            let fact = Fact { answer: Some((*answer).to_owned()), ..fact };
            Record::new("0", Some("P36".to_owned()), fact)
        })
        .collect();
    flags(&records.into(), &gpt2()).into_iter().map(|[forward, _]| forward.unwrap()).collect()
}

#[test]
fn tokens_are_counted_as_they_stand_in_the_prompt() {
    let all = found(&[
        ("The capital of {} is", "France", "Paris"),
        ("The capital of {} is", "Spain", "Madrid"),
        ("The capital of {} is", "Kazakhstan's north", "Astana"),
    ]);
    assert_eq!((all[0].n_subject, all[0].n_answer, all[0].n_same_length), (1, 1, 1));
    assert!(all[2].n_subject > 1 && all[2].n_answer > 1, "{:?}", all[2]);
    assert_eq!(all[2].n_same_length, 0);
}

#[test]
fn an_answer_leaks_only_as_whole_words() {
    let all = found(&[
        ("{} is produced by", "The BMW X5", "bmw"),
        ("{} lies in", "Romeo's house", "Rome"),
    ]);
    assert_eq!([all[0].leaks, all[1].leaks], [true, false]);
}

#[test]
fn answers_with_the_same_first_token_collide() {
    let all = found(&[
        ("The capital of {} is", "Mexico", "New Mexico"),
        ("The capital of {} is", "India", "New Delhi"),
        ("The capital of {} is", "France", "Paris"),
        ("A capital of {} is", "France", "Paris"),
    ]);
    assert_eq!(all[0].collides_with.as_deref(), Some("New Delhi"));
    assert_eq!(all[2].collides_with, None);
}

/// The library's cache of words belongs to the thread, which would keep that of each model that was opened.
///
/// It runs in a process of its own, whose memory is that of nothing else.
#[test]
#[cfg(target_os = "linux")]
fn a_tokenizer_that_is_gone_leaves_nothing_with_its_thread() {
    const NAME: &str = "tokens::a_tokenizer_that_is_gone_leaves_nothing_with_its_thread";
    const N_WORDS: usize = 5000;
    if !is_alone(NAME) {
        return;
    }
    let held = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let json = gpt2().to_json();
    let words: Vec<String> = (0..N_WORDS).map(|nth| format!("word{nth}")).collect();
    let text = words.join(" ");
    let opens = |n: usize| {
        for _ in 0..n {
            Tokenizer::from_json(&json).unwrap().encode(&text).unwrap();
        }
        held()
    };
    let before = opens(10);
    let after = opens(40);
    // A word takes 100 bytes at least in a cache. The system's allocator at times grows by 8 MB meanwhile.
    let cached = 40 * N_WORDS * 100;
    assert!(after < before + cached * 3 / 4, "{before} bytes, then {after}");
}
