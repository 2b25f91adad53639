//! `leapmux admin user`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_actors::{
    SecretText,
    operator::{Changes, Insistence, NewUser, SessionKind, UserAccount},
};
use serde_json::json;

use super::{Context, password, session, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List accounts by name
    List {
        /// Only those with this in name or e-mail address
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )]
        search: String,
    },
    /// Show one account
    Get(Who),
    /// Make an account; asks for the password twice, or reads it from standard input
    Create(Create),
    /// Change names or e-mail address, or shut and open an account
    Update(Update),
    /// Delete an account with its personal organisation and Workers
    Delete {
        #[command(flatten)]
        who: Who,
        /// Also if it is an admin; the last admin stays even so
        #[arg(long)]
        force: bool,
    },
    /// Give an account another password and end everything that is signed in
    ResetPassword {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: password::Options,
    },
    /// Make an account an admin of this Hub
    GrantAdmin(Who),
    /// Make an admin an ordinary account again
    RevokeAdmin(Who),
    /// List the live logins of an account
    ListSessions(Who),
}

#[derive(Args)]
pub(super) struct Who {
    /// The account, by name or id
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Args)]
pub(super) struct Create {
    /// The name to sign in with: 1 to 32 of a-z 0-9 -
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The name for people [default: the same]
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Its e-mail address, taken as verified
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Let it administer this Hub
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: password::Options,
}

#[derive(Args)]
#[group(id = "change", required = true, multiple = true)]
pub(super) struct Change {
    /// Another name to sign in with
    #[arg(long, value_name = "NAME", group = "change")]
    username: Option<String>,
    /// Another name for people
    #[arg(long, value_name = "NAME", group = "change")]
    display_name: Option<String>,
    /// Another e-mail address, taken as verified; "" for none
    #[arg(long, value_name = "ADDRESS", group = "change")]
    email: Option<String>,
    /// Let nobody in as this user, and put out whoever is
    #[arg(long, group = "change", conflicts_with = "enable")]
    disable: bool,
    /// Let the user in again
    #[arg(long, group = "change")]
    enable: bool,
}

#[derive(Args)]
pub(super) struct Update {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { search } => {
            let users = context.open().await?.users(&search).await?;
            context.show(&users, |all| list(all))
        }
        Command::Get(who) => {
            let user = context.open().await?.user(&who.user).await?;
            context.show(&user, get)
        }
        Command::Create(options) => create(context, options).await,
        Command::Update(options) => update(context, options).await,
        Command::Delete { who, force } => delete(context, &who.user, force).await,
        Command::ResetPassword { who, password } => {
            reset_password(context, &who.user, &password).await
        }
        Command::GrantAdmin(who) => {
            context.open().await?.grant_admin(&who.user).await?;
            done(context, &who.user, "is an admin")
        }
        Command::RevokeAdmin(who) => {
            context.open().await?.revoke_admin(&who.user).await?;
            done(context, &who.user, "is no admin")
        }
        Command::ListSessions(who) => {
            session::list(context, SessionKind::Logins, Some(&who.user)).await
        }
    }
}

fn done(context: &Context, user: &str, what: &str) -> anyhow::Result<ExitCode> {
    context.done(&json!({ "user": user }), &format!("{user} {what}."))
}

fn list(all: &[UserAccount]) -> anyhow::Result<()> {
    let head = [
        "USERNAME", "NAME", "EMAIL", "STATE", "LOGINS", "TOKENS", "WORKERS", "USER",
    ];
    let rows = all.iter().map(|one| {
        [
            one.username.clone(),
            one.display_name.clone(),
            one.email.clone().unwrap_or_default(),
            state(one),
            one.logins.to_string(),
            one.api_tokens.to_string(),
            one.workers.to_string(),
            one.user_id.clone(),
        ]
    });
    table::print(head, rows, "There is no such account.")
}

fn state(user: &UserAccount) -> String {
    match user {
        UserAccount { disabled: true, .. } => "disabled",
        UserAccount { admin: true, .. } => "admin",
        _ => "user",
    }
    .to_owned()
}

fn get(user: &UserAccount) -> anyhow::Result<()> {
    let email = match (&user.email, user.email_verified) {
        (None, _) => "none".to_owned(),
        (Some(email), true) => format!("{email} (verified)"),
        (Some(email), false) => format!("{email} (not verified)"),
    };
    table::facts([
        ("User", user.user_id.clone()),
        ("Username", user.username.clone()),
        ("Name", user.display_name.clone()),
        ("E-mail", email),
        ("Admin", table::yes(user.admin)),
        ("Disabled", table::yes(user.disabled)),
        ("Password", table::yes(user.has_password)),
        ("Created", table::time(user.created_unix_ms)),
        ("Locked until", table::time(user.locked_until_unix_ms)),
        ("Logins", user.logins.to_string()),
        ("API tokens", user.api_tokens.to_string()),
        ("Workers", user.workers.to_string()),
    ])
}

async fn create(context: &Context, options: Create) -> anyhow::Result<ExitCode> {
    // Before the database is open: whoever types takes his time.
    let password = options.password.read(&options.username)?;
    let operator = context.open_or_make().await?;
    let new = NewUser {
        username: options.username.clone(),
        display_name: options.display_name,
        email: options.email,
        admin: options.admin,
        password: SecretText::from(password.to_string()),
    };
    let id = operator.create_user(new).await?;
    let what = if options.admin { "admin" } else { "account" };
    context.done(
        &json!({ "user_id": id, "username": options.username }),
        &format!("The {what} {} was made: {id}", options.username),
    )
}

async fn update(context: &Context, options: Update) -> anyhow::Result<ExitCode> {
    let Update { who, change } = options;
    let changes = Changes {
        username: change.username,
        display_name: change.display_name,
        email: change.email,
        disabled: match (change.disable, change.enable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        },
    };
    context
        .open()
        .await?
        .update_user(&who.user, changes)
        .await?;
    done(context, &who.user, "was changed")
}

async fn delete(context: &Context, user: &str, force: bool) -> anyhow::Result<ExitCode> {
    let insistence = if force {
        Insistence::Admins
    } else {
        Insistence::None
    };
    context.open().await?.delete_user(user, insistence).await?;
    done(context, user, "was deleted")
}

async fn reset_password(
    context: &Context,
    user: &str,
    options: &password::Options,
) -> anyhow::Result<ExitCode> {
    // Before somebody types one for a name that nobody has; and nothing is open while he does.
    context.open().await?.user(user).await?;
    let password = SecretText::from(options.read(user)?.to_string());
    let operator = context.open().await?;
    let ended = operator.reset_password(user, &password).await?;
    context.done(
        &json!({ "user": user, "revoked": ended }),
        &format!(
            "{user} has another password. Ended: {}.",
            table::counted(ended, "login or token", "logins and tokens")
        ),
    )
}
