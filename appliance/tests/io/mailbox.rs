//! Messages between two executors on two threads, and from a thread that is no executor.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use portreeve::io::mailbox::Answer;
use portreeve::io::mailbox::INBOX_MESSAGES_MAX;
use portreeve::io::mailbox::MailError;
use portreeve::io::mailbox::Post;
use portreeve::io::mailbox::Seat;
use portreeve::io::mailbox::mesh;
use portreeve::io::ring;
use portreeve::io::timer::Timers;
use tokio::sync::oneshot;

use crate::support::on_executor;

const LONG: Duration = Duration::from_secs(20);

enum Message {
    Add(u64, u64, Answer<u64>),
    Forget(Answer<u64>),
    /// Have this shard ask the other one that many times, then answer with the sum.
    Relay(usize, u64, Answer<u64>),
    Stop,
}

/// Runs a shard on a thread of its own until it is told to stop.
fn shard(seat: Seat<Message>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let executor = ring::executor("shard", None).make().expect("an executor");
        executor.run(async move {
            let (stopped, stop) = oneshot::channel();
            let mut stopped = Some(stopped);
            let own = Rc::new(OnceCell::<Post<Message>>::new());
            let post = seat.serve({
                let own = Rc::clone(&own);
                move |message| handle(message, own.get(), &mut stopped)
            });
            assert!(own.set(post.clone()).is_ok());
            let timers = Timers::start();
            assert!(timers.deadline(LONG, stop).await.is_ok(), "nobody stopped the shard");
            post.leave();
        });
    })
}

fn handle(message: Message, post: Option<&Post<Message>>, stopped: &mut Option<oneshot::Sender<()>>) {
    match message {
        Message::Add(left, right, answer) => answer.send(left + right),
        Message::Forget(answer) => drop(answer),
        Message::Relay(to, times, answer) => {
            let post = post.expect("the seat is taken").clone();
            glommio::spawn_local(async move {
                let mut sum = 0;
                for step in 0..times {
                    sum = post
                        .ask(to, |answer| Message::Add(sum, step, answer))
                        .await
                        .expect("an answer");
                }
                answer.send(sum);
            })
            .detach();
        }
        Message::Stop => drop(stopped.take().map(|stopped| stopped.send(()))),
    }
}

#[test]
fn two_shards_answer_each_other_and_the_control_thread() {
    let (control, seats) = mesh(2);
    let shards: Vec<_> = seats.into_iter().map(shard).collect();
    let relays: Vec<_> = (0..2)
        .map(|from| {
            control
                .ask(from, |answer| Message::Relay(1 - from, 1_000, answer))
                .unwrap()
        })
        .collect();
    for sum in relays {
        assert_eq!(sum.blocking_recv(), Ok(499_500));
    }
    for index in 0..2 {
        control.tell(index, Message::Stop).unwrap();
    }
    shards.into_iter().for_each(|shard| shard.join().unwrap());
    assert_eq!(
        control.tell(0, Message::Stop),
        Err(MailError::Gone),
        "a stopped shard takes no messages"
    );
    assert_eq!(
        control.tell(2, Message::Stop),
        Err(MailError::Gone),
        "there is no third shard"
    );
}

#[test]
fn a_question_that_is_let_go_is_answered_with_that() {
    on_executor(async {
        let (_control, mut seats) = mesh(1);
        let post = seats.pop().unwrap().serve(|message| handle(message, None, &mut None));
        assert_eq!(post.ask(0, Message::Forget).await, Err(MailError::Unanswered));
        assert_eq!(
            post.ask(0, |answer| Message::Add(2, 3, answer)).await,
            Ok(5),
            "a shard may ask itself"
        );
        post.leave();
    });
}

#[test]
fn a_question_to_a_shard_that_stops_does_not_wait_for_ever() {
    let (control, mut seats) = mesh::<Message>(2);
    let (asking, stopping) = (seats.remove(0), seats.remove(0));
    let stopping = std::thread::spawn(move || {
        let executor = ring::executor("stopping", None).make().expect("an executor");
        executor.run(async move {
            let (arrived, arrival) = oneshot::channel();
            let mut kept = Some(arrived);
            let post = stopping.serve(move |message| drop(kept.take().map(|kept| kept.send(message))));
            let question = arrival.await;
            post.leave();
            drop(question);
        });
    });
    on_executor(async {
        let post = asking.serve(|_| {});
        assert_eq!(
            post.ask(1, |answer| Message::Add(1, 1, answer)).await,
            Err(MailError::Unanswered)
        );
        post.leave();
    });
    stopping.join().unwrap();
    drop(control);
}

#[test]
fn a_full_inbox_refuses_and_says_so() {
    let (control, seats) = mesh::<Message>(1);
    for _ in 0..INBOX_MESSAGES_MAX {
        control.tell(0, Message::Stop).unwrap();
    }
    assert_eq!(control.tell(0, Message::Stop), Err(MailError::Full));
    let refused = control.ask(0, Message::Forget).map(drop);
    assert_eq!(refused, Err(MailError::Full));
    drop(seats);
}
