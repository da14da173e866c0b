"""Code as frameworks generate or document it, by path, and what `init` has to find in it."""

from collections.abc import Mapping

from product_schemas import Expected

Code = Mapping[str, str]

DJANGO_OWN_MODEL = {
    "manage.py": "import os\n",
    "site/settings.py": 'INSTALLED_APPS = ["people"]\nAUTH_USER_MODEL = "people.Person"\n1 / 0\n',
    "people/models.py": """\
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models

class Stamped(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)
    class Meta:
        abstract = True

class Person(Stamped, AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=99, db_column="display_name")
    last_seen_at = models.DateTimeField(null=True)
    is_staff = models.BooleanField(default=False)

class Post(models.Model):
    author = models.ForeignKey("people.Person", on_delete=models.CASCADE)
    text = models.TextField()
""",
}
DJANGO_AUTH = {
    "manage.py": "import os\n",
    "site/settings.py": 'INSTALLED_APPS = ["django.contrib.auth", "allauth.account"]\n',
}
FASTAPI_USERS = {
    "app/db.py": """\
class User(SQLAlchemyBaseUserTableUUID, Base):
    created_at: Mapped[datetime] = mapped_column(DateTime)
    posts: Mapped[list["Post"]] = relationship()
""",
}
SQLALCHEMY = {
    "app/models.py": """\
class Member(Base):
    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    nickname: Mapped[str | None]
    password_hash = Column("pwd_hash", String(60))
    joined_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    posts = relationship("Post")

class Event(Base):
    __tablename__ = "events"
    id = Column(BigInteger, primary_key=True)
    member_id = Column(Integer, ForeignKey("members.id"))
    name = Column(String(64), nullable=False)
    occurred_at = Column(DateTime, nullable=False)
""",
}
RAILS = {
    "db/schema.rb": """\
ActiveRecord::Schema[8.0].define(version: 2026_11_01_000000) do
  create_table "users", id: :uuid, charset: "utf8mb4", force: :cascade do |t|
    t.string "email", default: "", null: false
    t.string "encrypted_password", default: "", null: false
    t.datetime "discarded_at"
    t.datetime "created_at", null: false
    t.datetime "updated_at", null: false
    t.index ["email"], name: "index_users_on_email", unique: true
  end

  create_table "posts", charset: "utf8mb4", force: :cascade do |t|
    t.string "author_id", null: false
    t.string "title"
  end

  add_foreign_key "posts", "users", column: "author_id"
end
""",
}
LARAVEL = {
    "artisan": "#!/usr/bin/env php\n",
    "database/migrations/0001_01_01_000000_create_users_table.php": """\
<?php
return new class extends Migration
{
    public function up(): void
    {
        Schema::create('users', function (Blueprint $table) {
            $table->id();
            $table->string('name');
            $table->string('email')->unique();
            $table->timestamp('email_verified_at')->nullable();
            $table->string('password');
            $table->rememberToken();
            $table->timestamps();
        });

        Schema::create('sessions', function (Blueprint $table) {
            $table->string('id')->primary();
            $table->foreignId('user_id')->nullable()->index();
            $table->text('user_agent')->nullable();
            $table->longText('payload');
            $table->integer('last_activity')->index();
        });
    }

    public function down(): void
    {
        Schema::dropIfExists('users');
    }
};
""",
    "database/migrations/2026_01_01_000000_add_to_users.php": """\
<?php
return new class extends Migration
{
    public function up(): void
    {
        Schema::table('users', function (Blueprint $table) {
            $table->softDeletes();
            $table->dropColumn('remember_token');
            $table->timestamp('last_seen_at')->nullable();
        });
    }

    public function down(): void
    {
        Schema::table('users', function (Blueprint $table) {
            $table->dropColumn('last_seen_at');
        });
    }
};
""",
}
PRISMA = {
    "prisma/schema.prisma": """\
datasource db {
  provider = "mysql"
}

enum Role {
  USER
  ADMIN
}

model User {
  id            String    @id @default(cuid())
  name          String?
  email         String?   @unique // their login
  emailVerified DateTime? @map("email_verified")
  role          Role      @default(USER)
  createdAt     DateTime  @default(now()) @map("created_at")
  sessions      Session[]

  @@map("users")
}

model Session {
  sessionToken String   @unique
  userId       String   @map("user_id") @db.VarChar(191)
  expires      DateTime
  user         User     @relation(fields: [userId], references: [id], onDelete: Cascade)
}
""",
}
DRIZZLE = {
    "src/db/schema.ts": """\
import { boolean, int, mysqlTable, timestamp, varchar } from 'drizzle-orm/mysql-core';

export const users = mysqlTable('user', {
  id: varchar('id', { length: 255 }).primaryKey().$defaultFn(() => crypto.randomUUID()),
  name: varchar({ length: 255 }),
  email: varchar('email', { length: 255 }).notNull().unique(),
  createdAt: timestamp('created_at').notNull().defaultNow(),
  banned: boolean('banned'),
});

export const events = mysqlTable('events', {
  id: int('id').primaryKey().autoincrement(),
  userId: varchar('user_id', { length: 255 }).references(() => users.id),
  event: varchar('event', { length: 64 }).notNull(),
  at: timestamp('occurred_at').notNull(),
});
""",
    "src/index.ts": "console.log('no tables here')\n",
}
DDL = {
    "schema/001.sql": """\
CREATE TABLE customers (id BIGINT PRIMARY KEY, email VARCHAR(255) UNIQUE, first_name VARCHAR(99), created_at DATETIME);
""",
    "schema/002.sql": "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT REFERENCES customers (id));\n",
}

EXPECTED: dict[str, tuple[Code, str, Expected]] = {
    "Django, a model of one's own": (
        DJANGO_OWN_MODEL,
        "Django",
        Expected(
            "people_person",
            name="display_name",
            created="created_at",
            activity="last_seen_at",
            mailable=["is_staff = 0"],
        ),
    ),
    "Django's own users": (
        DJANGO_AUTH,
        "Django",
        Expected(
            "auth_user",
            name="first_name",
            created="date_joined",
            activity="last_login",
            mailable=["is_staff = 0", "is_active = 1"],
            aloud="account_emailaddress.verified says whose address is confirmed",
        ),
    ),
    "fastapi-users": (
        FASTAPI_USERS,
        "SQLAlchemy",
        Expected("user", created="created_at", mailable=["is_active = 1"], aloud="user.is_verified"),
    ),
    "SQLAlchemy": (
        SQLALCHEMY,
        "SQLAlchemy",
        Expected(
            "members",
            name="nickname",
            created="joined_at",
            mailable=["deleted_at IS NULL"],
            events="events: member_id, name, occurred_at",
        ),
    ),
    "Rails": (
        RAILS,
        "Rails",
        Expected("users", created="created_at", mailable=["discarded_at IS NULL"], aloud="Trackable is off"),
    ),
    "Laravel": (
        LARAVEL,
        "Laravel",
        Expected(
            "users",
            name="name",
            created="created_at",
            activity="last_seen_at",
            mailable=["deleted_at IS NULL"],
            aloud="users.email_verified_at says",
        ),
    ),
    "Prisma": (
        PRISMA,
        "Prisma",
        Expected("users", name="name", created="created_at", aloud="Session.expires (Auth.js)"),
    ),
    "Drizzle": (
        DRIZZLE,
        "Drizzle",
        Expected(
            "user",
            name="name",
            created="created_at",
            mailable=["COALESCE(banned, 0) = 0"],
            events="events: user_id, event, occurred_at",
        ),
    ),
    "SQL": (DDL, "SQL", Expected("customers", name="first_name", created="created_at")),
}
